package coordinate_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/coordinate"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
	"github.com/capstan-run/capstan/frameworks/coordinator/coordinatortest"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
)

const (
	size       = 3
	supersteps = 6 // of the program; a checkpoint follows every second one
)

// gang is a job in a world of coordinatortest: the coordinator with workers that
// only say what a worker says. It holds what the coordinator must never ask for.
type gang struct {
	t *testing.T

	mu      sync.Mutex
	begun   map[seat]bool // law C1
	written map[int]map[task.Checkpoint]bool
}

// seat is a rank's part in an incarnation.
type seat struct{ rank, incarnation int }

func newGang(t *testing.T) *gang {
	return &gang{t: t, begun: map[seat]bool{}, written: map[int]map[task.Checkpoint]bool{}}
}

func (g *gang) subject() coordinatortest.Subject {
	return coordinatortest.Subject{Size: size, Coordinate: g.coordinate, Work: g.work}
}

// answer is what must not depend on who was killed when. How often a superstep
// was done again shows in the counters that bsp/ begins.
type answer struct {
	Parts   []string
	Rows    int64
	Counter int64
	Preview *core.Table
}

func (g *gang) coordinate(ctx context.Context, w *coordinatortest.World, n coordinatortest.Generation) (any, error) {
	var parts []output.Part
	report, err := coordinate.Run(ctx, coordinate.Attempt{
		Config: coordinate.Config{Repairs: 40, Deal: deal},
		Gang:   core.GangAsk{Name: "main", Gang: core.Gang{Size: size, CPU: 500}},
		Saved:  n.Saved, Output: "s3://results/x", Log: slog.New(slog.DiscardHandler),
		List: func(context.Context) (splits, vertices []input.Split, err error) {
			return []input.Split{{Bytes: 10}, {Bytes: 20}, {Bytes: 30}}, nil, nil
		},
		Commit: func(ctx context.Context, r *coordinate.Result) error {
			parts = r.Parts
			return w.Commit(ctx, n, r.Parts)
		},
	}, n.Host)
	a := answer{Rows: report.RecordsOut, Counter: report.Counters["test/rows"], Preview: report.Preview}
	for _, p := range parts {
		a.Parts = append(a.Parts, fmt.Sprintf("%s: %d rows", p.Name, p.Rows))
	}
	return a, err
}

func deal(all []input.Split, size int) [][]input.Split {
	dealt := make([][]input.Split, size)
	for i, s := range all {
		dealt[i%size] = append(dealt[i%size], s)
	}
	return dealt
}

// worker is a rank's: the run under way, and what it would say of it.
type worker struct {
	gang *gang
	env  *core.Env
	save chan struct{} // a checkpoint is asked for

	mu    sync.Mutex
	hello task.Hello
	stop  context.CancelFunc // of the run; nil: none
	ended chan struct{}
}

// work is a worker as package work's, but that no rank waits for another.
func (g *gang) work(ctx context.Context, env *core.Env) error {
	k := &worker{gang: g, env: env, hello: task.Hello{Host: "h"}, save: make(chan struct{}, 1)}
	defer k.halt()
	for {
		select {
		case <-ctx.Done():
			return nil
		case msg := <-env.Inbox:
			var d task.Down
			if err := task.Decode(msg, &d); err != nil {
				return err
			}
			k.take(ctx, d)
		}
	}
}

func (k *worker) take(ctx context.Context, d task.Down) {
	switch {
	case d.Query != nil:
		k.mu.Lock()
		h := k.hello
		h.Written = slices.Clone(h.Written)
		k.mu.Unlock()
		k.say(ctx, task.Up{Hello: &h})
	case d.Begin != nil:
		k.begin(ctx, d.Begin)
	case d.Stop != nil:
		if k.running() == d.Stop.Incarnation {
			k.halt()
		}
	case d.Save != nil:
		select {
		case k.save <- struct{}{}:
		default:
		}
	case d.Bring != nil:
		k.say(ctx, task.Up{Brought: &task.Brought{Checkpoint: d.Bring.Checkpoint}})
	}
}

func (k *worker) say(ctx context.Context, up task.Up) {
	msg, err := task.Encode(&up)
	if err != nil {
		k.gang.t.Error(err)
		return
	}
	_ = k.env.Send(ctx, msg) // of an executor that is gone nobody hears
}

func (k *worker) running() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.hello.Running
}

// halt ends the run under way and waits for it.
func (k *worker) halt() {
	if k.stop != nil {
		k.stop()
		<-k.ended
		k.stop = nil
	}
}

// begin runs an incarnation, after what ran before (laws C1, C3 and C4).
func (k *worker) begin(ctx context.Context, b *task.Begin) {
	k.halt()
	g, s := k.gang, seat{k.env.Rank.Rank, b.Incarnation}
	g.mu.Lock()
	if g.begun[s] {
		g.t.Errorf("rank %d is told to begin incarnation %d twice", s.rank, s.incarnation)
	}
	g.begun[s] = true
	for r := range size {
		if b.Resume != nil && !g.written[r][*b.Resume] {
			g.t.Errorf("incarnation %d goes on from %v, of which rank %d has written no part", b.Incarnation, *b.Resume, r)
		}
	}
	g.mu.Unlock()
	k.mu.Lock()
	k.hello.Running, k.hello.Written, k.hello.Done = b.Incarnation, nil, nil
	k.mu.Unlock()
	run, stop := context.WithCancel(ctx)
	k.stop, k.ended = stop, make(chan struct{})
	go func() {
		defer close(k.ended)
		k.run(run, ctx, b)
	}()
}

// run is the supersteps of an incarnation. What it says goes by the worker's
// context: a run that is stopped still answers (law T2).
func (k *worker) run(ctx, worker context.Context, b *task.Begin) {
	at := int64(0)
	if b.Resume != nil {
		at = b.Resume.Superstep
	}
	for at < supersteps {
		select {
		case <-time.After(time.Duration(60+10*k.env.Rank.Rank) * time.Millisecond):
		case <-ctx.Done():
			k.mu.Lock()
			k.hello.Running, k.hello.Written = 0, nil
			k.mu.Unlock()
			k.say(worker, task.Up{Ended: &task.Ended{Incarnation: b.Incarnation, Superstep: at, Lost: -1, Err: core.Error{Kind: core.Cancelled, What: "stopped"}}})
			return
		}
		at++
		total := task.Superstep{Number: at, Messages: at}
		k.say(worker, task.Up{Steps: &task.Steps{Incarnation: b.Incarnation, Last: []task.Superstep{total}, Total: total}})
		select {
		case <-k.save:
			k.write(worker, task.Checkpoint{Incarnation: b.Incarnation, Superstep: at})
		default:
			if at%2 == 0 {
				k.write(worker, task.Checkpoint{Incarnation: b.Incarnation, Superstep: at})
			}
		}
	}
	d := k.result(b)
	k.mu.Lock()
	k.hello.Done = d
	k.mu.Unlock()
	k.say(worker, task.Up{Done: d})
}

func (k *worker) write(ctx context.Context, c task.Checkpoint) {
	rank, w := k.env.Rank.Rank, task.Written{Checkpoint: c, Bytes: 100}
	k.gang.mu.Lock()
	if k.gang.written[rank] == nil {
		k.gang.written[rank] = map[task.Checkpoint]bool{}
	}
	k.gang.written[rank][c] = true
	k.gang.mu.Unlock()
	k.mu.Lock()
	k.hello.Written = append(k.hello.Written, w)
	k.mu.Unlock()
	k.say(ctx, task.Up{Written: &w})
}

// result follows from the rank and its splits alone, but for the object's name.
func (k *worker) result(b *task.Begin) *task.Done {
	rank, rows := k.env.Rank.Rank, input.TotalBytes(b.Splits)
	return &task.Done{
		Incarnation: b.Incarnation, Superstep: supersteps, Total: task.Superstep{Number: supersteps},
		Parts: []output.Part{{Kind: output.Result, Name: fmt.Sprintf("part-%05d.txt", rank), Object: fmt.Sprintf("%d.%d", rank, b.Incarnation),
			Rows: rows, Bytes: 10, Ordinal: rank}},
		Counters: map[string]int64{"test/rows": rows},
	}
}

// TestWorld: whoever is killed and whatever is late, the answer stays the same.
func TestWorld(t *testing.T) {
	coordinatortest.Run(t, func(t *testing.T) coordinatortest.Subject { return newGang(t).subject() }, 100)
}
