package schedule

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/journal"
)

// durable runs gangs through a loop that stands for the host's: events of a
// turn go through the kernel and are written down, with the grants, and only
// when they are on disk are agents told. An agent's answer is the next event.
// A placement counts when its gang has started.
func durable(ctx context.Context, c Config, r *report) error {
	for _, v := range []struct {
		what string
		open func(dir string) (book, error)
		size int
		goal float64
	}{
		{"the journal (SQLite), gangs of 1", openJournal, 1, 10_000},
		{"the journal (SQLite), gangs of 4", openJournal, 4, 10_000},
		{"a log of events, gangs of 1", openLog, 1, 10_000},
	} {
		dir, err := os.MkdirTemp(c.Dir, "schedule-")
		if err != nil {
			return err
		}
		err = durableOn(ctx, c, r, dir, v.what, v.open, v.size, v.goal)
		os.RemoveAll(dir)
		if err != nil {
			return err
		}
	}
	return nil
}

// book keeps events and grants: when write returns they are on disk.
type book interface {
	write(ctx context.Context, b batch) error
	close() error
}

// batch is one turn: the events as lines of a log, and what was granted.
type batch struct {
	log    []byte
	grants []gang.Grant
}

type journalBook struct{ *journal.Journal }

func openJournal(dir string) (book, error) {
	j, err := journal.Open(filepath.Join(dir, "journal.db"))
	return journalBook{j}, err
}

// write makes a record of each grant, as the host does, and one of the events.
func (j journalBook) write(ctx context.Context, b batch) error {
	now := time.Now()
	events := slices.Concat([]byte("["), bytes.ReplaceAll(bytes.TrimSuffix(b.log, []byte("\n")), []byte("\n"), []byte(",")), []byte("]"))
	tx := journal.Tx{Records: []journal.Record{{Time: now, Kind: "events", Data: events}}}
	for _, g := range b.grants {
		data, err := json.Marshal(g)
		if err != nil {
			return err
		}
		tx.Records = append(tx.Records, journal.Record{Time: now, Job: core.JobID(g.Gang), Kind: "granted", Data: data})
	}
	return j.Commit(ctx, tx)
}

func (j journalBook) close() error { return j.Close() }

type logBook struct{ *os.File }

func openLog(dir string) (book, error) {
	f, err := os.Create(filepath.Join(dir, "events.log"))
	return logBook{f}, err
}

func (l logBook) write(_ context.Context, b batch) error {
	if _, err := l.Write(b.log); err != nil {
		return err
	}
	return l.Sync()
}

func (l logBook) close() error { return l.Close() }

// loop is the host's in small.
type loop struct {
	*kernel
	book    book
	agents  *agents
	rack    map[core.NodeID]int
	answers chan start
	size    int
	nodes   int
	missing map[gang.ID]int // agents that have not answered
	batches chan batch
	failed  chan error

	submitted, running, released int
	syncs                        int
}

func durableOn(ctx context.Context, c Config, r *report, dir, what string, open func(string) (book, error), size int, goal float64) error {
	lay := plain(c.part(5000, 100))
	b, err := open(dir)
	if err != nil {
		return err
	}
	defer b.close()
	l := &loop{kernel: newKernel(gang.Config{}, lay), book: b, rack: map[core.NodeID]int{}, answers: make(chan start, 1<<16), size: size, nodes: lay.nodes,
		missing: map[gang.ID]int{}, batches: make(chan batch, 2), failed: make(chan error, 1)}
	for i, e := range lay.events() {
		l.rack[e.(gang.NodeUp).Node.ID] = i / lay.rack
	}
	if l.agents, err = openAgents(ctx, lay.nodes/lay.rack, func(s start) { l.answers <- s }); err != nil {
		return err
	}
	defer l.agents.close()
	n := c.part(100_000, 1000) / size
	took := measure(func() { err = l.run(ctx, n) })
	if err != nil {
		return err
	}
	r.add(Row{What: what, Figure: float64(n*size) / took.wall.Seconds(), Unit: "placements/s", Goal: goal, More: true,
		Note: fmt.Sprintf("wall; %d placements, %.2f s of CPU (%.0f per CPU-second), %d writes to disk", n*size, took.cpu.Seconds(),
			float64(n*size)/took.cpu.Seconds(), l.syncs)})
	return nil
}

// flying is how many gangs are underway at a time: submitted and not started.
const flying = 4096

func (l *loop) run(ctx context.Context, n int) error {
	done := make(chan struct{})
	go func() { defer close(done); l.carry(ctx) }()
	err := l.turns(ctx, n)
	close(l.batches)
	<-done
	if err == nil {
		select {
		case err = <-l.failed:
		default:
		}
	}
	return err
}

// turns takes what agents answered, lets as many new gangs come as have
// started, and hands what the kernel decided to the writer.
func (l *loop) turns(ctx context.Context, n int) error {
	for l.running < n {
		var b batch
		if l.submitted-l.running >= min(flying, n-l.running) {
			select {
			case s := <-l.answers:
				l.answered(&b, s)
			case err := <-l.failed:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		for range len(l.answers) {
			l.answered(&b, <-l.answers)
		}
		for l.submitted < n && l.submitted-l.running < flying {
			id, j := job("p", l.submitted)
			l.submitted++
			l.step(&b, gang.Submit{Now: l.now, Request: gang.Request{Gang: id, Job: j, Size: l.size, Each: core.Resources{CPU: 500, Memory: 1 << 29}, Walltime: 3600_000}})
		}
		if len(b.log) > 0 {
			l.batches <- b
		}
	}
	return nil
}

func (l *loop) answered(b *batch, s start) {
	if l.missing[s.Gang]--; l.missing[s.Gang] > 0 {
		return
	}
	delete(l.missing, s.Gang)
	l.running++
	l.step(b, gang.Started{Now: l.now, Gang: s.Gang, Lease: s.Lease})
	if keep := 4 * l.nodes / l.size; l.running > keep { // the oldest ends
		id, _ := job("p", l.released)
		l.released++
		l.step(b, gang.Release{Now: l.now, Gang: id})
	}
}

func (l *loop) step(b *batch, e gang.Event) {
	l.now++
	log, err := gang.AppendEvent(b.log, e)
	if err != nil {
		panic("schedule: " + err.Error()) // events of this package have a form
	}
	b.log = log
	for _, a := range l.Step(e).Actions {
		if g, ok := a.(gang.Grant); ok {
			b.grants = append(b.grants, g)
			l.missing[g.Gang] = len(l.parts(g))
		}
	}
}

// parts is what each agent has to know of a grant, by rack.
func (l *loop) parts(g gang.Grant) []part {
	var out []part
	for rank, n := range g.Nodes {
		rack := l.rack[n]
		if len(out) == 0 || out[len(out)-1].agent != rack { // ranks follow the topology
			out = append(out, part{rack, start{Gang: g.Gang, Lease: g.Lease}})
		}
		s := &out[len(out)-1].start
		s.Ranks, s.Nodes = append(s.Ranks, rank), append(s.Nodes, n)
	}
	return out
}

type part struct {
	agent int
	start start
}

// carry writes down whatever has gathered, in one go, and then tells the agents.
func (l *loop) carry(ctx context.Context) {
	for b := range l.batches {
		for more := true; more; {
			select {
			case o, ok := <-l.batches:
				b.log, b.grants = append(b.log, o.log...), append(b.grants, o.grants...)
				more = ok
			default:
				more = false
			}
		}
		err := l.book.write(ctx, b)
		l.syncs++
		for _, g := range b.grants {
			for _, p := range l.parts(g) {
				if err == nil {
					err = l.agents.send(p.agent, p.start)
				}
			}
		}
		if err != nil {
			l.failed <- err
			for range l.batches { // so that nobody waits for us
			}
			return
		}
	}
}
