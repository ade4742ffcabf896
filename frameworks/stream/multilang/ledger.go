package multilang

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// errProtocol is in the chain of what is the process's fault (law M5).
var errProtocol = errors.New("it broke the protocol")

// flight is a tuple under way.
type flight struct {
	id    string
	seq   int64
	tail  []byte // its message, after the id
	tries int    // that failed
	acked bool
	group *group
}

// message is what the process is given.
func (f *flight) message() []byte { return append(append([]byte(`{"id":"`), f.id...), f.tail...) }

// group is tuples that are done together (law M2).
type group struct {
	flights []*flight
	open    int // that are not acked
	held    []emission
}

// emission is what a process emitted.
type emission struct {
	out   int
	pin   int // -1: nobody was told its task
	tuple []json.RawMessage
	after int64 // held until all up to it are acked; 0: by its group
}

// ledger knows what is under way at a process, and holds what it emitted. It is
// a bare state machine.
type ledger struct {
	seq   int64
	byID  map[string]*flight
	order []*flight // by seq; those that are done go when they are first
	loose []emission
	ready []emission
	acks  int64
	// holding is how many emissions wait for an ack.
	holding int
}

func newLedger() *ledger { return &ledger{byID: map[string]*flight{}} }

// give puts a tuple under way. tail is its message after the id.
func (l *ledger) give(tail []byte) *flight {
	f := &flight{tail: tail}
	l.again(f)
	return f
}

// again puts a tuple under way that was before: it gets another id, so that what
// is said of the old one means nothing.
func (l *ledger) again(f *flight) {
	l.seq++
	f.seq, f.id, f.acked = l.seq, strconv.FormatInt(l.seq, 10), false
	f.group = &group{flights: []*flight{f}, open: 1}
	l.byID[f.id] = f
	l.order = append(l.order, f)
}

// size is how many tuples are under way.
func (l *ledger) size() int { return len(l.byID) }

// emit holds what was emitted.
func (l *ledger) emit(anchors []string, e emission) error {
	if len(anchors) == 0 {
		if e.after = l.seq; len(l.byID) == 0 {
			l.ready = append(l.ready, e)
			return nil
		}
		l.loose = append(l.loose, e)
		l.holding++
		return nil
	}
	var g *group
	for _, id := range anchors {
		f := l.byID[id]
		if f == nil || f.acked {
			return fmt.Errorf("%w: it anchored to tuple %q, which is not under way", errProtocol, id)
		}
		g = join(g, f.group)
	}
	g.held = append(g.held, e)
	l.holding++
	return nil
}

// join makes one group of two.
func join(a, b *group) *group {
	if a == nil || a == b {
		return b
	}
	if len(a.flights) < len(b.flights) {
		a, b = b, a
	}
	for _, f := range b.flights {
		f.group = a
	}
	a.flights, a.open, a.held = append(a.flights, b.flights...), a.open+b.open, append(a.held, b.held...)
	return a
}

// ack ends a tuple, and what is anchored to it may be seen once its group is.
func (l *ledger) ack(id string) error {
	f := l.byID[id]
	if f == nil || f.acked {
		return fmt.Errorf("%w: it acked tuple %q, which is not under way", errProtocol, id)
	}
	f.acked = true
	l.acks++
	if f.group.open--; f.group.open == 0 {
		l.release(f.group)
	}
	return nil
}

func (l *ledger) release(g *group) {
	l.ready = append(l.ready, g.held...)
	l.holding -= len(g.held)
	for _, f := range g.flights {
		delete(l.byID, f.id)
		f.group = nil
	}
	for len(l.order) > 0 && l.order[0].group == nil {
		l.order[0] = nil
		l.order = l.order[1:]
	}
	least := l.seq + 1
	if len(l.order) > 0 {
		least = l.order[0].seq
	}
	for len(l.loose) > 0 && l.loose[0].after < least {
		l.ready = append(l.ready, l.loose[0])
		l.loose = l.loose[1:]
		l.holding--
	}
}

// fail takes a tuple and its group back: what they emitted is dropped, and they
// are given again. of is the tuple that failed.
func (l *ledger) fail(id string) (of *flight, again []*flight, err error) {
	f := l.byID[id]
	if f == nil || f.acked {
		return nil, nil, fmt.Errorf("%w: it failed tuple %q, which is not under way", errProtocol, id)
	}
	f.tries++
	g := f.group
	l.holding -= len(g.held)
	for _, member := range g.flights {
		delete(l.byID, member.id)
	}
	l.order = without(l.order, g)
	for _, member := range g.flights {
		l.again(member)
	}
	return f, g.flights, nil
}

func without(list []*flight, g *group) []*flight {
	var kept []*flight
	for _, f := range list {
		if f.group != g && f.group != nil {
			kept = append(kept, f)
		}
	}
	return kept
}

// restart takes all back that is under way, in order: the process is another.
func (l *ledger) restart() []*flight {
	list := l.order
	l.order, l.loose, l.byID, l.holding = nil, nil, map[string]*flight{}, 0
	var again []*flight
	for _, f := range list {
		if f.group != nil {
			again = append(again, f)
		}
	}
	for _, f := range again {
		l.again(f)
	}
	return again
}

// take is what may be seen.
func (l *ledger) take() []emission {
	list := l.ready
	l.ready = nil
	return list
}
