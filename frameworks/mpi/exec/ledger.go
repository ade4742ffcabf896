package exec

import (
	"slices"
	"strings"
	"sync"

	"github.com/capstan-run/capstan/frameworks/mpi"
	"github.com/capstan-run/capstan/frameworks/mpi/waits"
)

// ledger is the requests that are not answered, and which of them the process
// waits for (law X6).
type ledger struct {
	world *mpi.Comm
	tell  func(*waits.Wait) // see [Options]

	mu   sync.Mutex
	open map[uint32]waits.Wait
	wait []uint32 // numbers of those that the process waits for; none: for nothing
	all  bool     // it needs all of them
}

func newLedger(world *mpi.Comm, tell func(*waits.Wait)) *ledger {
	if tell == nil {
		tell = func(*waits.Wait) {}
	}
	l := &ledger{world: world, tell: tell, open: map[uint32]waits.Wait{}}
	tell(&waits.Wait{})
	return l
}

// begin notes a request on c.
func (l *ledger) begin(c *mpi.Comm, r *request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[r.number] = l.describe(c, r)
	if r.flags&flagWaits != 0 {
		l.wait, l.all = []uint32{r.number}, true
		l.publish()
	}
}

// waitFor notes that the process does nothing until one, or all, of these
// requests are answered.
func (l *ledger) waitFor(numbers []uint32, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := slices.DeleteFunc(numbers, func(n uint32) bool { _, open := l.open[n]; return !open })
	if len(left) < len(numbers) && !all {
		return // one is answered already
	}
	l.wait, l.all = left, all
	l.publish()
}

// end notes that a request is being answered.
func (l *ledger) end(r *request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, r.number)
	at := slices.Index(l.wait, r.number)
	if at < 0 {
		return
	}
	if l.wait = slices.Delete(l.wait, at, at+1); !l.all {
		l.wait = nil
	}
	l.publish()
}

// publish tells what the process waits for: of all that it needs the first, of
// those any of which would do their peers together.
func (l *ledger) publish() {
	switch {
	case len(l.wait) == 0:
		l.tell(&waits.Wait{})
	case len(l.open) == 1 && l.open[l.wait[0]].Peers == nil:
		l.tell(nil) // the mesh knows for whom a collective waits
	case l.all || len(l.wait) == 1:
		w := l.open[l.wait[0]]
		l.tell(&w)
	default:
		l.tell(l.any())
	}
}

func (l *ledger) any() *waits.Wait {
	any := waits.Wait{Op: "Wait", Tag: mpi.AnyTag}
	for _, n := range l.wait {
		w := l.open[n]
		if len(w.Peers) == 0 {
			return &waits.Wait{Op: "Wait", Tag: mpi.AnyTag}
		}
		any.Peers = append(any.Peers, w.Peers...)
	}
	slices.Sort(any.Peers)
	any.Peers = slices.Compact(any.Peers)
	return &any
}

// describe is what there is to wait for until r is answered.
func (l *ledger) describe(c *mpi.Comm, r *request) waits.Wait {
	name := r.command.name()
	w := waits.Wait{Op: strings.ToUpper(name[:1]) + name[1:], Tag: mpi.AnyTag, Comm: int(r.comm), Name: c.String()}
	if r.command.collective() {
		return w
	}
	w.Tag = int(r.tag)
	if r.peer >= 0 {
		w.Peers = c.Group().Translate(l.world.Group(), int(r.peer))
	}
	return w
}
