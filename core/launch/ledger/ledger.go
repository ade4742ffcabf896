// Package ledger keeps account of a launcher's executors, so that each end is
// delivered at most once and none of a set that did not start; and it holds the
// all-or-none bracket round a start that every launcher shares ([Ledger.Start]).
//
// # Model
//
//	Begin ─→ starting ──Started──→ live ──End──→ ended
//	            │  │End (held)       │             │
//	         Abandon└───Started──────┼─────────────┘
//	            ↓                    ↓
//	         forgotten ←─────────  Forget
//
// # Laws
//
//	G1  An end is delivered once, by the first End of a live executor.
//	G2  An end that comes while its set is starting is held until the set has
//	    started, and dropped if the set is abandoned.
//	G3  An executor that is not in the ledger has no end: Forget first, then
//	    kill, and the kill stays unheard.
//	G4  Delivery never blocks the watcher: ends queue, and their number is
//	    bounded by the number of executors.
//
// # Left out
//
// What an executor is, how it is made and how its end is noticed: those are the
// launcher's [Hands].
package ledger

import (
	"context"
	"sync"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
)

// Ledger is the account. Make one with New and Close it. Methods are safe for
// concurrent use.
type Ledger struct {
	mu      sync.Mutex
	entries map[string]*entry
	queue   []launch.Exit
	wake    chan struct{} // one token: queue grew or the ledger closed
	closed  bool
	out     chan launch.Exit
	quit    chan struct{}
	pumped  sync.WaitGroup
}

type entry struct {
	set   *Set         // while starting
	held  *launch.Exit // an end that came while starting
	ended bool
}

// Set is executors that start together.
type Set struct {
	ids    []string
	cancel context.CancelFunc
	done   chan struct{}
}

// New returns an empty ledger whose delivery runs.
func New() *Ledger {
	l := &Ledger{
		entries: map[string]*entry{},
		wake:    make(chan struct{}, 1),
		out:     make(chan launch.Exit),
		quit:    make(chan struct{}),
	}
	l.pumped.Go(l.pump)
	return l
}

// Exits delivers the ends. It is closed by Close.
func (l *Ledger) Exits() <-chan launch.Exit { return l.out }

// Begin enters a set that starts. cancel is called when one of it is to be
// stopped meanwhile. An id that is in the ledger already is a Conflict. The
// caller ends the set by Started or Abandon.
func (l *Ledger) Begin(ids []string, cancel context.CancelFunc) (*Set, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, core.Errorf(core.Internal, "the launcher is closed")
	}
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if _, known := l.entries[id]; known || seen[id] {
			return nil, core.Errorf(core.Conflict, "an executor of this id exists").At("executor " + id)
		}
		seen[id] = true
	}
	s := &Set{ids: ids, cancel: cancel, done: make(chan struct{})}
	for _, id := range ids {
		l.entries[id] = &entry{set: s}
	}
	return s, nil
}

// Started makes the set live and delivers the ends held.
func (l *Ledger) Started(s *Set) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer close(s.done)
	for _, id := range s.ids {
		e := l.entries[id]
		if e == nil { // forgotten meanwhile
			continue
		}
		e.set = nil
		if e.held != nil {
			e.ended = true
			l.deliver(*e.held)
		}
	}
}

// Abandon forgets the set and the ends held.
func (l *Ledger) Abandon(s *Set) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer close(s.done)
	for _, id := range s.ids {
		delete(l.entries, id)
	}
}

// Interrupt cancels the sets that the ids start in and waits until those sets
// have ended, whichever way, or ctx has.
func (l *Ledger) Interrupt(ctx context.Context, ids ...string) error {
	for _, id := range ids {
		l.mu.Lock()
		e := l.entries[id]
		l.mu.Unlock()
		if e == nil || e.set == nil {
			continue
		}
		e.set.cancel()
		select {
		case <-e.set.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Adopt enters an executor found by a launcher that has just been opened.
func (l *Ledger) Adopt(id string, running bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.entries[id]; !known {
		l.entries[id] = &entry{ended: !running}
	}
}

// End records an end. Only the first of an executor has an effect; for one
// not in the ledger none has.
func (l *Ledger) End(x launch.Exit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[x.ID]
	switch {
	case e == nil || e.ended || e.held != nil:
	case e.set != nil:
		e.held = &x
	default:
		e.ended = true
		l.deliver(x)
	}
}

// Forget removes executors; unknown ids are no error.
func (l *Ledger) Forget(ids ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		delete(l.entries, id)
	}
}

// Live lists the executors that started and have not ended, in no order.
func (l *Ledger) Live() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for id, e := range l.entries {
		if e.set == nil && !e.ended {
			ids = append(ids, id)
		}
	}
	return ids
}

// Close ends the delivery; undelivered ends are dropped. It may be called again.
func (l *Ledger) Close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	close(l.quit)
	l.mu.Unlock()
	l.pumped.Wait()
}

// deliver queues x. l.mu is held.
func (l *Ledger) deliver(x launch.Exit) {
	l.queue = append(l.queue, x)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *Ledger) pump() {
	defer close(l.out)
	for {
		select {
		case <-l.wake:
		case <-l.quit:
			return
		}
		for _, x := range l.take() {
			select {
			case l.out <- x:
			case <-l.quit:
				return
			}
		}
	}
}

func (l *Ledger) take() []launch.Exit {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.queue
	l.queue = nil
	return q
}
