package mesh

import (
	"context"
	"sync/atomic"
)

// offer is a message whose bytes are still with its sender.
//
//	offered ──match──→ accepted ──all bytes here──→ done
//	   └──sender gives up, or is gone──→ done with err
type offer struct {
	length int
	// ask makes the sender deliver; called once, by the receiver that matched.
	ask   func()
	asked bool // guarded by the inbox

	finished atomic.Bool
	buf      []byte // written between ask and done
	err      error  // errWithdrawn, a *PeerError
	done     chan struct{}
}

func newOffer(length int) *offer { return &offer{length: length, done: make(chan struct{})} }

// finish ends the offer; only the first call counts.
func (o *offer) finish(err error) {
	if o.finished.CompareAndSwap(false, true) {
		o.err = err
		close(o.done)
	}
}

// fetch waits until m's bytes are here. On a ctx that ends m stays the first
// of its queue.
func (m *Message) fetch(ctx context.Context, in *inbox) error {
	o := m.offer
	if !o.asked {
		o.asked = true
		o.ask()
	}
	select {
	case <-o.done:
	default:
		select {
		case <-o.done:
		case <-ctx.Done():
			in.putBack(m)
			return ctx.Err()
		case <-in.closing:
			in.putBack(m)
			return ErrClosed
		}
	}
	if o.err != nil {
		return o.err
	}
	m.data, m.owner, m.offer = o.buf, in.pool, nil
	return nil
}
