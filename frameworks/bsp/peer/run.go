package peer

import (
	"context"
	"errors"
	"time"

	"github.com/capstan-run/capstan/frameworks/bsp/peer/table"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Run runs prog as this rank of the mesh until it has ended on all ranks.
//
// Errors: prog's own; a [*RankError] where another rank's program failed; with
// a *mesh.PeerError in the chain where a rank is lost. The mesh is closed when
// Run returns, and aborted where a rank is lost; to go on, all ranks join a new
// mesh and Run again with Config.Resume.
func Run(ctx context.Context, c Config, prog Program) error {
	if err := c.Validate(); err != nil {
		return err
	}
	c = c.withDefaults()
	err := run(ctx, c, prog)
	if errors.Is(err, mesh.ErrLost) || ctx.Err() != nil {
		c.Mesh.Abort()
		return err
	}
	// What a failed program said of itself is delivered, or the others would
	// find it lost.
	closing, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	if closed := c.Mesh.Close(closing); err == nil && closed != nil {
		c.Log.Debug("the mesh did not close in time", "error", closed)
	}
	return err
}

func run(ctx context.Context, c Config, prog Program) error {
	var w way = &star{}
	if c.Table != "" && c.Mesh.Size() > 1 {
		t, err := table.Open(c.Table, c.Mesh.Rank(), c.Mesh.Size())
		if err != nil {
			return err
		}
		w = &seat{table: t}
	}
	p := newPeer(ctx, c, prog, w)
	defer p.close()
	if c.Output != nil && c.Resume == nil {
		if err := c.Output.Rewind(nil); err != nil {
			return err
		}
	}
	if p.Size() > 1 {
		p.running.Go(func() { p.in.run(p.ctx) })
	}
	if c.Resume != nil {
		if err := p.resume(c.Resume); err != nil {
			return p.end(err)
		}
	}
	p.begun = time.Now()
	return p.end(prog.Run(p.ctx, p))
}

func newPeer(ctx context.Context, c Config, prog Program, w way) *Peer {
	p := &Peer{c: c, prog: prog, mesh: c.Mesh, counters: map[string]int64{}, aggregates: newAggregates()}
	p.ctx, p.cancel = context.WithCancel(ctx)
	if c.Resume != nil {
		p.step = c.Resume.Superstep
	}
	p.in = newInlet(p, p.step, p.budget(), int64(c.Arena)/int64(2*p.Size()))
	for to := range p.Size() {
		p.lanes = append(p.lanes, newLane(p, to))
	}
	p.barrier = newBarrier(p, w)
	_, keeper := prog.(Keeper)
	p.policy = newPolicy(c, keeper, p.step)
	p.keeping = newKeeping(c)
	return p
}

// end meets the others when the program has ended, so that all end together or
// all learn who failed.
func (p *Peer) end(err error) error {
	if broken := p.failed(); broken != nil {
		// Who learned it from another tells it too: the others may find this
		// rank gone before they hear of the first.
		if other := (*RankError)(nil); errors.As(broken, &other) {
			p.tellAll(*other)
		}
		if err == nil || !errors.Is(err, broken) {
			return broken // what came first
		}
		return err
	}
	if err != nil {
		p.tellAll(RankError{Rank: p.Rank(), Superstep: p.step, Text: err.Error()})
		return err
	}
	w := &p.barrier.mine
	w.intent, w.flags, w.rank, w.step = toEnd, 0, p.Rank(), p.step
	w.rest = w.rest[:0]
	clear(w.counts)
	met := p.barrier.meet(p.ctx)
	if met == nil {
		met = p.barrier.answer.verdict()
	}
	if met != nil {
		return p.lost(met)
	}
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	s := Superstep{Number: p.step, Ended: true, Edges: p.edges}
	if p.edges > 0 {
		s.Compute = p.followed.Sub(p.begun)
	}
	p.observe(s)
	return nil
}

// farewell is how long a rank whose program failed tries to tell the others,
// who otherwise find it lost.
const farewell = 2 * time.Second

func (p *Peer) tellAll(e RankError) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), farewell)
	defer cancel()
	h := makeHead(classFailed, uint32(e.Rank), e.Superstep)
	for to := range p.lanes {
		if to != p.Rank() && to != e.Rank {
			// Who cannot be told learns it from the mesh.
			_ = p.mesh.Send(ctx, to, tagData, h[:], []byte(e.Text))
		}
	}
}

// leaving reports whether err is no loss: this rank has ended, or others have.
func (p *Peer) leaving(err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended || errors.Is(err, mesh.ErrLeft) || p.ctx.Err() != nil && p.err != nil
}

func (p *Peer) close() {
	p.cancel()
	p.keeping.end()
	p.running.Wait()
	p.barrier.way.close()
	if p.mail != nil {
		p.in.release(p.mail)
	}
	p.in.end()
}
