package mesh

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"
)

// linker makes the links of a lazy mesh, each when one of its two ranks first
// needs it. As in Join the higher rank dials; the lower asks it to.
//
//	lower                     higher
//	  ── call ──────────────→   (the lower needs the link first)
//	  ←──────── lanes ───────   dials as in Join
type linker struct {
	*joiner
	ctx context.Context // of the mesh's life
	end context.CancelFunc

	mu      sync.Mutex
	closed  bool
	made    map[int]*making
	makings sync.WaitGroup
}

// making is a link on its way up; it is made once, for better or worse.
type making struct {
	done chan struct{} // closed when the link is up or err is set
	err  *PeerError
}

// linkTime is how long a link may take: the rank at its other end has joined.
const linkTime = 30 * time.Second

func newLinker(j *joiner) *linker {
	k := &linker{joiner: j, made: map[int]*making{}}
	k.ctx, k.end = context.WithCancel(context.Background())
	return k
}

// link waits for the link to a rank.
func (k *linker) link(ctx context.Context, r int) (*hop, error) {
	mk := k.begin(r, true)
	if mk == nil {
		return nil, ErrClosed
	}
	select {
	case <-mk.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-k.m.closing:
		return nil, ErrClosed
	}
	if mk.err != nil {
		return nil, mk.err
	}
	if l := k.m.links[r].Load(); l != nil {
		return l, nil
	}
	return nil, ErrClosed
}

// want lets the link to a rank be made.
func (k *linker) want(r int) { k.begin(r, true) }

// knocked tells of a lane, or a call, that a rank made: it needs the link.
func (k *linker) knocked(r int) {
	if k != nil {
		k.begin(r, false)
	}
}

// gaveUp reports whether a rank is lost for this mesh already.
func (k *linker) gaveUp(r int) bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	mk := k.made[r]
	k.mu.Unlock()
	if mk == nil {
		return false
	}
	select {
	case <-mk.done:
		return mk.err != nil
	default:
		return false
	}
}

// begin makes the link to a rank unless that was begun before; nil once the
// mesh is closed. With call a higher rank is asked to dial.
func (k *linker) begin(r int, call bool) *making {
	k.mu.Lock()
	defer k.mu.Unlock()
	if mk := k.made[r]; mk != nil || k.closed {
		return mk
	}
	mk := &making{done: make(chan struct{})}
	k.made[r] = mk
	k.makings.Go(func() {
		defer close(mk.done)
		mk.err = k.make(r, call)
	})
	return mk
}

func (k *linker) make(r int, call bool) *PeerError {
	ctx, cancel := context.WithTimeout(k.ctx, linkTime)
	defer cancel()
	shared := k.m.cfg.wayTo(r) == sameHost
	var err error
	if call && r > k.m.cfg.Rank {
		var a arrival
		a, err = k.dial(ctx, r, callLane, shared)
		a.drop()
	}
	if err == nil {
		err = k.wire(ctx, r, shared)
	}
	if err == nil {
		k.m.links[r].Load().link.(*wire).start()
		return nil
	}
	why := lost(r, err)
	k.m.in.leave(r, why)
	return why
}

// close ends what is under way; no link is made any more.
func (k *linker) close() {
	if k == nil {
		return
	}
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.end()
	k.joiner.close()
	k.makings.Wait()
	k.joiner.drain()
}

// absent reports whether err says that nobody is where a rank had joined.
func absent(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT)
}
