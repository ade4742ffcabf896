package coordinatortest

import (
	"context"

	"github.com/capstan-run/capstan/core"
)

// gangName is what the one gang is called, whatever its ask says.
const gangName = "main"

// host is the world as one generation of the coordinator sees it.
type host struct {
	world      *World
	generation int64
	events     chan core.Event
}

// step does what the coordinator asks for, unless it is dead (law W1), and kills
// it if its time has come.
func (h *host) step(do func() error) error {
	w := h.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead || w.generation != h.generation {
		return errKilled
	}
	dies, before := w.count(coordinator, 60), w.faults.before
	if dies && w.faults.storm != nil {
		before = w.faults.storm.rnd.IntN(2) == 0
	}
	if dies {
		w.dead = true
		w.stop(errKilled)
	}
	if dies && before {
		return errKilled
	}
	err := do()
	if dies {
		return errKilled
	}
	return err
}

func (h *host) Events() <-chan core.Event { return h.events }

func (h *host) WantGang(core.GangAsk) error {
	w := h.world
	return h.step(func() error {
		up := core.GangUp{Gang: gangName, Size: w.subject.Size}
		if len(w.ranks) > 0 {
			up.Resumed, up.Lost = true, w.lost()
		} else {
			w.come()
		}
		w.tell(up)
		return nil
	})
}

func (h *host) ReleaseGang(string) error {
	return h.step(func() error {
		h.world.leave()
		return nil
	})
}

func (h *host) EndGang(name string, _ bool) error { return h.ReleaseGang(name) }

func (h *host) Send(_ string, rank int, msg []byte) error {
	w := h.world
	return h.step(func() error {
		if rank >= len(w.ranks) || w.ranks[rank] == nil || w.told-len(h.events) < w.ranks[rank].since {
			return nil // law W3
		}
		x := w.ranks[rank]
		x.heard = h.generation
		x.deliver(func() { x.inbox <- msg })
		return nil
	})
}

func (h *host) Report(p core.Progress) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	if !h.world.dead {
		h.world.shown = p
	}
}

func (h *host) Save(_ context.Context, state []byte) error {
	return h.step(func() error {
		h.world.saved = state
		return nil
	})
}

func (h *host) Answer(core.Answer) error { return nil }
