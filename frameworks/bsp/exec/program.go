package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Program runs a command as a peer. It is one rank's.
type Program struct {
	c       Command
	process *process      // of the run under way
	state   io.ReadCloser // to begin with; nil: there is none
	read    int64         // records of the input that the process was sent
	values  *peer.Aggregator[values]
}

var _ peer.Keeper = (*Program)(nil)

// New makes the program of a rank.
func New(c Command) *Program { return &Program{c: c} }

// Load keeps the state for the process that Run starts.
func (g *Program) Load(r *peer.SnapshotReader) (err error) {
	g.state, err = r.Open("state")
	return err
}

// Run starts the command and lets it take part until all ranks have halted.
func (g *Program) Run(ctx context.Context, p *peer.Peer) (err error) {
	defer g.dropState()
	g.values = peer.Custom(p, "exec", nil, merge, peer.JSON[values]())
	g.read = 0
	if g.process, err = start(ctx, g.c, p); err != nil {
		return err
	}
	defer g.process.kill()
	err = g.take(ctx, p)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		// It may be what everybody waited for.
		p.Log().Warn(fmt.Sprintf("%s was ended in superstep %d", g.process.name, p.Superstep()), "stderr", g.process.errs.text())
		return fmt.Errorf("%s in superstep %d: %w", g.process.name, p.Superstep(), ctx.Err())
	}
	return g.process.blame(err, p.Superstep())
}

func (g *Program) dropState() {
	if g.state != nil {
		_ = g.state.Close()
		g.state = nil
	}
}

func (g *Program) take(ctx context.Context, p *peer.Peer) error {
	told := g.process.writing(func() error { return g.begin(ctx, p) })
	p.HoldCheckpoints(true)
	for {
		kind := "messages"
		if p.Halted() {
			kind = "finish"
		}
		before := told
		told = g.process.writing(func() error {
			if err := <-before; err != nil {
				return err
			}
			return g.tell(p, kind)
		})
		if err := g.answer(p); err != nil {
			return g.process.fault(told, err)
		}
		if err := g.process.wait(told); err != nil {
			return err
		}
		p.ReadRecords(g.read)
		g.read = 0
		if kind == "finish" {
			return g.process.finish()
		}
		told = written()
		if err := p.Sync(ctx); err != nil {
			return innocent{err}
		}
	}
}

// begin tells who the process is, and its input or its state.
func (g *Program) begin(ctx context.Context, p *peer.Peer) error {
	err := g.process.empty("begin", map[string]string{"rank": strconv.Itoa(p.Rank()), "size": strconv.Itoa(p.Size()),
		"superstep": strconv.FormatInt(p.Superstep(), 10)})
	if err != nil {
		return err
	}
	if g.state != nil {
		_, err := io.Copy(g.process.stdin, g.state)
		return err
	}
	if p.Superstep() > 0 {
		return nil
	}
	return g.input(ctx, p)
}

// tell sends a superstep's messages.
func (g *Program) tell(p *peer.Peer, kind string) error {
	about := map[string]string{"superstep": strconv.FormatInt(p.Superstep(), 10), "aggregators": g.values.Value().json()}
	var w *ipc.Writer
	var has *arrow.Schema
	for from, rec := range p.Records() {
		named := withFrom(rec, from, about, kind)
		if w == nil {
			has = named.Schema()
			w = ipc.NewWriter(g.process.stdin, ipc.WithSchema(has))
		}
		if !named.Schema().Equal(has) {
			named.Release()
			return innocent{differing(from, p.Superstep())}
		}
		err := w.Write(named)
		named.Release()
		if err != nil {
			return err
		}
	}
	if w == nil {
		w = ipc.NewWriter(g.process.stdin, ipc.WithSchema(schemaOf(fromField, nil, about, kind)))
	}
	return w.Close()
}

// answer takes what the process says of a superstep.
func (g *Program) answer(p *peer.Peer) error {
	for {
		s, err := g.process.next(p.Memory())
		if err != nil {
			return err
		}
		switch s.kind {
		case "messages":
			err = s.each(func(rec arrow.Record) error { return send(p, rec) })
		case "rows":
			err = s.each(func(rec arrow.Record) error {
				if err := p.WriteRecord(rec); err != nil {
					return innocent{err}
				}
				return nil
			})
		case "end":
			if err = s.each(func(arrow.Record) error { return nil }); err == nil {
				err = g.conclude(p, s.about)
			}
			s.close()
			return err
		default:
			err = fmt.Errorf("it wrote a stream of kind %q in answer to messages", s.kind)
		}
		s.close()
		if err != nil {
			return err
		}
	}
}

// conclude takes what the end of an answer says.
func (g *Program) conclude(p *peer.Peer, about map[string]string) error {
	if about["halt"] == "1" {
		p.VoteToHalt()
	}
	if about["saves"] == "1" {
		p.HoldCheckpoints(false)
	}
	if text, ok := about["active"]; ok {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("active is %q, not a number", text)
		}
		p.Active(n)
	}
	counters, err := parse[map[string]int64]("counters", about["counters"])
	if err != nil {
		return err
	}
	for name, n := range counters {
		p.Count(name, n)
	}
	added, err := parse[values]("aggregators", about["aggregators"])
	if err != nil {
		return err
	}
	if err := added.check(); err != nil {
		return err
	}
	g.values.Add(maps.Clone(added))
	return nil
}

// Save asks the process for its state.
func (g *Program) Save(w *peer.SnapshotWriter) error {
	err := g.save(w)
	if err != nil {
		return g.process.blame(err, -1)
	}
	return nil
}

func (g *Program) save(w *peer.SnapshotWriter) error {
	asked := g.process.writing(func() error { return g.process.empty("save", nil) })
	s, err := g.process.next(g.process.most)
	if err != nil {
		return g.process.fault(asked, err)
	}
	defer s.close()
	if s.kind != "state" {
		return fmt.Errorf("it wrote a stream of kind %q in answer to save", s.kind)
	}
	out := ipc.NewWriter(section{w}, ipc.WithSchema(s.reader.Schema()))
	err = s.each(func(rec arrow.Record) error { return out.Write(rec) })
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	last, err := g.process.next(g.process.most)
	if err != nil {
		return err
	}
	defer last.close()
	if last.kind != "end" {
		return fmt.Errorf("it wrote a stream of kind %q after its state", last.kind)
	}
	if err := last.each(func(arrow.Record) error { return nil }); err != nil {
		return err
	}
	return g.process.wait(asked)
}

// section writes the state into a checkpoint.
type section struct{ w *peer.SnapshotWriter }

func (s section) Write(b []byte) (int, error) { return len(b), s.w.Put("state", b) }
