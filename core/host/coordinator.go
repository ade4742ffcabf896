package host

import (
	"context"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/journal"
)

var _ core.Relay = (*coordinatorSide)(nil)

// coordinatorSide is the attempt as one generation of its coordinator sees it.
type coordinatorSide struct {
	a      *attempt
	events *eventQueue
	// told is whom the coordinator knows under each rank of a gang. Guarded by
	// Host.mu.
	told map[string][][]naming
}

// naming says who has a rank, from an event on that tells of it.
type naming struct {
	event int64  // its number
	id    string // "" for nobody
}

func newSide(a *attempt) *coordinatorSide {
	return &coordinatorSide{a: a, events: newEventQueue(), told: map[string][][]naming{}}
}

func (c *coordinatorSide) close() { c.events.close() }

func (c *coordinatorSide) Events() <-chan core.Event { return c.events.out }

// tell gives the coordinator an event, and keeps in mind whom it means by a
// rank once it has it (law H8). h.mu is held.
func (c *coordinatorSide) tell(e core.Event) {
	n := c.events.push(e)
	switch e := e.(type) {
	case core.GangUp:
		for len(c.told[e.Gang]) < e.Size {
			c.told[e.Gang] = append(c.told[e.Gang], nil)
		}
		for r := range e.Size {
			id := c.a.gangs[e.Gang].members[r].id
			if slices.Contains(e.Lost, r) {
				id = ""
			}
			c.name(n, e.Gang, r, id)
		}
	case core.ExecutorLost:
		c.name(n, e.Gang, e.Rank, "")
	case core.ExecutorReplaced:
		if e.Rank == len(c.told[e.Gang]) {
			c.told[e.Gang] = append(c.told[e.Gang], nil)
		}
		c.name(n, e.Gang, e.Rank, c.a.gangs[e.Gang].members[e.Rank].id)
	}
}

func (c *coordinatorSide) name(event int64, gang string, rank int, id string) {
	if rank < len(c.told[gang]) {
		c.told[gang][rank] = append(c.told[gang][rank], naming{event, id})
	}
}

// means is the executor that a coordinator which has taken so many events means
// by a rank: "" for one that is lost. ok is false before it has heard of the
// gang. h.mu is held.
func (c *coordinatorSide) means(events int64, gang string, rank int) (id string, ok bool) {
	if rank >= len(c.told[gang]) {
		return "", false
	}
	names := c.told[gang][rank]
	for i := len(names) - 1; i >= 0; i-- {
		if names[i].event <= events {
			return names[i].id, true
		}
	}
	return "", false
}

func (c *coordinatorSide) WantGang(ask core.GangAsk) error {
	h := c.a.h
	if err := h.checkAsk(ask); err != nil {
		return err
	}
	if err := checkGrants(ask.Store, c.a.grants()); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	g := c.a.gangs[ask.Name]
	if err := h.volumeTaken(c.a.job.rec.Job.ID, ask); err != nil && g == nil {
		if !ask.Optional {
			return err
		}
		c.tell(core.GangRefused{Gang: ask.Name, Err: core.AsError(err)})
		return nil
	}
	if g == nil {
		c.a.addGang(ask)
		g = c.a.gangs[ask.Name]
	}
	if g.gone && !c.a.over() { // it is being released: queue again after that
		g.again = &ask
		return nil
	}
	if g.array != nil {
		g.tellElements()
		return nil
	}
	g.wanted = true
	if g.state.Up {
		c.tell(g.upEvent(c.a.job.rec.Generation > 1))
		g.remind()
	}
	return nil
}

func (c *coordinatorSide) ReleaseGang(name string) error {
	return c.end(name, "released by its coordinator", nil)
}

// EndGang implements core.Host.
func (c *coordinatorSide) EndGang(name string, ok bool) error {
	if ok {
		return c.end(name, "ended well", &ok)
	}
	return c.end(name, "ended with a failure", &ok)
}

// end releases a gang for a reason that the job's history tells. ok is how it
// ended; nil for one that has not.
func (c *coordinatorSide) end(name, why string, ok *bool) error {
	h := c.a.h
	h.mu.Lock()
	defer h.mu.Unlock()
	g := c.a.gangs[name]
	if g == nil {
		return nil
	}
	g.again = nil
	if g.gone {
		return nil
	}
	g.gone = true
	if g.whole != nil {
		delete(c.told, name) // it sends no more to this one
		if ok != nil {
			g.elementEnded(*ok)
		}
	}
	delete(c.a.job.rec.Gangs, name) // a host that restarts must not bring it up again
	h.goRun(func(context.Context) { g.release(why) })
	return nil
}

func (c *coordinatorSide) Send(name string, rank int, msg []byte) error {
	return c.SendAfter(c.events.taken(), name, rank, msg)
}

func (c *coordinatorSide) SendAfter(events int64, name string, rank int, msg []byte) error {
	h := c.a.h
	h.mu.Lock()
	g := c.a.gangs[name]
	if g == nil || rank < 0 || rank >= len(g.members) {
		told := rank >= 0 && rank < len(c.told[name])
		h.mu.Unlock()
		if told {
			return nil // its gang was let go, or has lost its place
		}
		return core.Errorf(core.NotFound, "no rank %d in gang %q", rank, name)
	}
	m, gen := g.members[rank], c.a.job.rec.Generation
	id, gone := m.id, m.lost || m.fresh
	if meant, ok := c.means(events, name, rank); ok && meant != id || c != c.a.side {
		gone = true
	}
	h.mu.Unlock()
	if gone {
		return nil // messages to a lost rank vanish
	}
	err := h.server.Send(id, gen, msg)
	if k := core.KindOf(err); k == core.Denied || k == core.NotFound {
		return nil // lost just now
	}
	return err
}

func (c *coordinatorSide) Report(p core.Progress) {
	h := c.a.h
	h.mu.Lock()
	defer h.mu.Unlock()
	c.a.job.rec.Job.Progress = p
	c.a.job.notify()
}

func (c *coordinatorSide) Save(ctx context.Context, state []byte) error {
	j := c.a.job
	return c.a.h.journal.Commit(ctx, journal.Tx{Saves: []journal.Save{{Job: j.rec.Job.ID, Epoch: c.a.epoch, State: state}}})
}
