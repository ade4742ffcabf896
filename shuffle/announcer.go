package shuffle

import (
	"context"
	"fmt"
)

// Sender takes announcements to one consumer in another process: each whole, in
// their order, until one is an error. It may block. A line of package mesh is
// one.
type Sender interface {
	Send(ctx context.Context, announcement []byte) error
}

// Announcer tells one consumer in another process of this host of a producer's
// runs, before the commit. The data stays where it is, in the spill file; the
// consumer reads it there ([Live.Follow]). The producer waits for neither
// (law L6).
//
//	run ─→ spill file ────────────── mapped, or read ─────────────→ LiveReader
//	  └──→ announcement ─ room ─→ queue ─→ Run ─→ Sender ··→ Receiver ─→ Follow
//	                    └ none: cut
//
// Make it with [Live.Announcer].
type Announcer struct {
	live   *Live
	lo, hi int

	// What follows is under live.mu.
	opening []byte // nil before the writer began, and once it is sent
	runs    [][]byte
	size    int    // bytes of runs
	number  int    // of the next run
	cut     bool   // a run was not announced: none is from now on
	end     []byte // how the writer ended
}

// announceRoom bounds the announcements that wait for one consumer, in bytes.
// One announcement finds room in any case.
const announceRoom = 256 << 10

// Announcer returns the announcer of the partitions lo to hi-1, which are read
// by one other process, and by nobody here. It is made before the writer
// begins.
func (l *Live) Announcer(lo, hi int) (*Announcer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lo < 0 || hi < lo || hi > len(l.parts) {
		return nil, fmt.Errorf("announce partitions %d to %d of a live exchange: there are %d", lo, hi-1, len(l.parts))
	}
	if l.begun {
		return nil, fmt.Errorf("announce partitions %d to %d of a live exchange: its writer has begun", lo, hi-1)
	}
	for p := lo; p < hi; p++ {
		if l.parts[p].taken {
			return nil, fmt.Errorf("announce partition %d of a live exchange: it has a reader", p)
		}
	}
	for p := lo; p < hi; p++ {
		l.parts[p].taken, l.parts[p].cut = true, true // nothing is queued for it here
	}
	a := &Announcer{live: l, lo: lo, hi: hi}
	l.away = append(l.away, a)
	return a, nil
}

// Run sends the announcements until the end of the writer was sent, to fails,
// or ctx ends, and says which by its error. The writer neither waits for it nor
// fails with it. It is called once, in a goroutine of its own; who closes the
// link afterwards waits for it.
func (a *Announcer) Run(ctx context.Context, to Sender) error {
	for {
		b, last, news := a.next()
		if b == nil {
			select {
			case <-news:
				continue
			case <-ctx.Done():
				a.leave()
				return context.Cause(ctx)
			}
		}
		if err := to.Send(ctx, b); err != nil {
			a.leave()
			return fmt.Errorf("announce partitions %d to %d of a live exchange: %w", a.lo, a.hi-1, err)
		}
		if last {
			return nil
		}
	}
}

// next takes the next announcement, and tells whether it is the last; without
// one it returns what is closed when there is news. The end passes the runs:
// the committed object has them.
func (a *Announcer) next() (b []byte, last bool, news <-chan struct{}) {
	l := a.live
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case a.opening != nil:
		b, a.opening = a.opening, nil
	case a.end != nil:
		b, last = a.end, true
	case len(a.runs) > 0:
		b, a.runs = a.runs[0], a.runs[1:]
		a.size -= len(b)
	}
	return b, last, l.changed
}

// leave forgets what nobody will send.
func (a *Announcer) leave() {
	a.live.mu.Lock()
	defer a.live.mu.Unlock()
	a.runs, a.cut = nil, true
}

// begin queues the opening; live.mu is held.
func (a *Announcer) begin(o opening, cut bool) {
	o.lo, o.hi = a.lo, a.hi
	a.opening, a.cut = o.marshal(), a.cut || cut
}

// announce queues a run that lies in file. It does not wait.
func (a *Announcer) announce(file string, r *run) {
	l := a.live
	l.mu.Lock()
	x := announced{number: a.number, file: file, pieces: r.pieces[a.lo:a.hi]}
	cut := a.cut
	l.mu.Unlock()
	if cut || empty(x.pieces) {
		return
	}
	b := x.marshal()
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.cut = a.cut || len(a.runs) > 0 && a.size+len(b) > announceRoom; a.cut {
		return
	}
	a.runs, a.number = append(a.runs, b), a.number+1
	a.size += len(b)
	l.tell()
}

func empty(pieces []piece) bool {
	for i := range pieces {
		if pieces[i].length > 0 {
			return false
		}
	}
	return true
}

// finish queues the end in place of the runs; live.mu is held.
func (a *Announcer) finish(x *Index) {
	a.runs, a.cut, a.end = nil, true, []byte{announceAborted}
	if x == nil {
		return
	}
	part, err := x.SliceRange(a.lo, a.hi)
	if err != nil {
		return
	}
	if b, err := part.MarshalBinary(); err == nil {
		a.end = append([]byte{announceCommitted}, b...)
	}
}
