package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// A GET is slow when it takes one and a half times as long as nineteen of
	// twenty of its size did, and never before hedgeFloor: a second GET costs
	// the store as much as the first.
	hedgeFloor  = 20 * time.Millisecond
	hedgeSample = 20 // GETs of a size that must have been seen
	// credit that idle times can save up: a stalled server has several victims.
	hedgeSavings = 4
)

var (
	errNoHedge   = errors.New("no second request")
	errOvertaken = errors.New("the second request was faster")
)

// hedger decides when a slow request is sent a second time ("hedged requests":
// Dean and Barroso, The Tail at Scale, CACM 2013), and keeps those requests a
// small share of all.
type hedger struct {
	share float64

	sent, won atomic.Int64

	mu      sync.Mutex
	credit  float64
	classes [5]latencies
}

// latencies are the last ones of requests of about one size.
type latencies struct {
	ring [64]time.Duration
	n    int           // ever seen
	slow time.Duration // after which one counts as slow; 0 until known
}

// class groups sizes by powers of eight, from 4 KiB on: within a class the time
// hardly depends on the size.
func class(size int64) int {
	n := 0
	for limit := int64(4 << 10); size > limit && n < len(hedger{}.classes)-1; limit *= 8 {
		n++
	}
	return n
}

// observe notes how long a request took, and earns credit for hedges.
func (h *hedger) observe(size int64, took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.credit = min(h.credit+h.share, hedgeSavings)
	l := &h.classes[class(size)]
	l.ring[l.n%len(l.ring)] = took
	l.n++
	if l.n < hedgeSample || l.n%8 != 0 && l.slow > 0 {
		return
	}
	seen := slices.Sorted(slices.Values(l.ring[:min(l.n, len(l.ring))]))
	l.slow = max(seen[len(seen)*19/20]*3/2, hedgeFloor)
}

// patience is how long to wait for a request before a second one; 0: for ever.
func (h *hedger) patience(size int64) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.classes[class(size)].slow
}

// take spends credit on one hedge, if there is any.
func (h *hedger) take() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.credit < 1 {
		return false
	}
	h.credit--
	h.sent.Add(1)
	return true
}

// race runs first, and second beside it once first is slow. It returns when
// neither runs any more. The winner ends the other one's context; overtaken
// says that it was second. second may return errNoHedge.
func (h *hedger) race(ctx context.Context, size int64, first, second func(context.Context) error) (overtaken bool, err error) {
	patience := h.patience(size)
	if patience == 0 || h.share <= 0 {
		return false, first(ctx)
	}
	ctx1, cancel1 := context.WithCancelCause(ctx)
	defer cancel1(nil)
	ctx2, cancel2 := context.WithCancel(ctx)
	defer cancel2()
	over := make(chan error, 1)
	slow := time.AfterFunc(patience, func() {
		err := second(ctx2)
		if err == nil {
			cancel1(errOvertaken)
		}
		over <- err
	})
	err = first(ctx1)
	if slow.Stop() {
		return false, err
	}
	if err == nil {
		cancel2()
	}
	// Where first failed and second did not, second has the answer: whether it
	// cancelled first or outlived it.
	if err2 := <-over; err != nil && err2 == nil {
		h.won.Add(1)
		return true, nil
	}
	return false, err
}
