package store

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// slowest is the rate, in requests a second, that no prefix is held below.
	slowest = 2
	// One burst of refusals is one signal: the requests behind them were sent
	// before the first was known.
	deafFor = 200 * time.Millisecond
	// A slowed prefix gains a tenth of its former rate every second, though
	// never less than slowest, and is free again at twice that rate.
	growth  = 0.1
	freeAt  = 2
	idleFor = time.Minute
	lanes   = 1024
)

// pacer holds requests back that a store would refuse: a token bucket per
// prefix. A bucket is unlimited until the store answers SlowDown; then its rate
// is half of what was sent, and grows until the store refuses again (additive
// increase, multiplicative decrease).
type pacer struct {
	refused func() // counts

	mu    sync.Mutex
	lanes map[string]*lane
}

// lane is the traffic to one prefix. Its fields are guarded by the pacer.
type lane struct {
	bucket *rate.Limiter
	since  time.Time // start of the second that is being counted
	count  int       // requests in it
	last   float64   // rate of the second before
	peak   float64   // rate when the store refused; 0 while unlimited
	grown  time.Time
	cut    time.Time
	used   time.Time
}

// wait returns when a request to prefix may go out, or ctx's end.
func (p *pacer) wait(ctx context.Context, prefix string) error {
	r := p.reserve(prefix, time.Now())
	delay := r.Delay()
	if delay <= 0 {
		return nil
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		r.Cancel()
		return context.Cause(ctx)
	}
}

func (p *pacer) reserve(prefix string, now time.Time) *rate.Reservation {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lane(prefix, now)
	l.used = now
	if passed := now.Sub(l.since); passed >= time.Second {
		l.last = float64(l.count) / passed.Seconds()
		l.since, l.count = now, 0
	}
	l.count++
	l.grow(now)
	return l.bucket.ReserveN(now, 1)
}

func (p *pacer) lane(prefix string, now time.Time) *lane {
	l := p.lanes[prefix]
	if l != nil {
		return l
	}
	if len(p.lanes) >= lanes {
		p.forget(now)
	}
	if p.lanes == nil {
		p.lanes = map[string]*lane{}
	}
	l = &lane{bucket: rate.NewLimiter(rate.Inf, 1), since: now, used: now}
	p.lanes[prefix] = l
	return l
}

// forget drops lanes: those long unused, and all that are unlimited.
func (p *pacer) forget(now time.Time) {
	for prefix, l := range p.lanes {
		if l.peak == 0 || now.Sub(l.used) > idleFor {
			delete(p.lanes, prefix)
		}
	}
}

func (l *lane) grow(now time.Time) {
	if l.peak == 0 {
		return
	}
	r := float64(l.bucket.Limit()) + max(growth*l.peak, slowest)*now.Sub(l.grown).Seconds()
	l.grown = now
	if r >= freeAt*l.peak {
		l.peak = 0
		l.bucket.SetLimitAt(now, rate.Inf)
		return
	}
	l.set(now, r)
}

func (l *lane) set(now time.Time, r float64) {
	l.bucket.SetLimitAt(now, rate.Limit(r))
	l.bucket.SetBurstAt(now, max(1, int(r/20)))
}

// slowed notes that the store refused a request to prefix for its rate.
func (p *pacer) slowed(prefix string) {
	p.refused()
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lane(prefix, now)
	if now.Sub(l.cut) < deafFor {
		return
	}
	sent := float64(l.bucket.Limit())
	if l.peak == 0 {
		sent = max(l.last, float64(l.count)/max(now.Sub(l.since), deafFor).Seconds())
	}
	l.peak, l.cut, l.grown = math.Max(sent, slowest), now, now
	l.set(now, max(sent/2, slowest))
}

// slow reports whether prefix is held back at present.
func (p *pacer) slow(prefix string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lanes[prefix]
	return l != nil && l.peak > 0
}
