package pool

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
)

// Host is what the pool asks of the host. Both are called without the pool's
// lock, from goroutines of the pool.
type Host interface {
	// Furnish makes a shared directory and n executors of shape in it, without
	// a place: ids new, bootstrap files written, tokens expected. On an error
	// nothing is left.
	Furnish(ctx context.Context, shape Shape, n int) (Set, error)
	// Discard forgets executors that have been stopped or never started. When
	// Dir is set it removes the directory as well; for the surplus of a set
	// that was taken, Dir is "".
	Discard(set Set)
}

// Config is what a pool is made of. Launcher and Host are required.
type Config struct {
	Launcher launch.Launcher
	Host     Host

	MaxShapes    int           // default 2
	MaxExecutors int           // default 16
	Depth        int           // sets kept ready per shape; default 1
	TTL          time.Duration // a shape unused for so long is not kept; default 15m
	RefillAfter  time.Duration // pause between a Take and the refill; default 300ms
	JoinWithin   time.Duration // from the start of a set to its last join; default 60s
	Log          *slog.Logger  // nil: silent
}

// Validate fills in the defaults and reports what is missing.
func (c *Config) Validate() error {
	if c.Launcher == nil || c.Host == nil {
		return errors.New("a warm pool needs a launcher and a host")
	}
	ints := func(p *int, def int) {
		if *p == 0 {
			*p = def
		}
	}
	times := func(p *time.Duration, def time.Duration) {
		if *p == 0 {
			*p = def
		}
	}
	ints(&c.MaxShapes, 2)
	ints(&c.MaxExecutors, 16)
	ints(&c.Depth, 1)
	times(&c.TTL, 15*time.Minute)
	times(&c.RefillAfter, 300*time.Millisecond)
	times(&c.JoinWithin, time.Minute)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Pool carries out what the shelf decides. Methods are safe for concurrent use
// and, but for Close, do not wait: they may be called under the host's lock.
type Pool struct {
	cfg  Config
	ctx  context.Context
	quit context.CancelFunc

	mu     sync.Mutex
	shelf  shelf
	timer  *time.Timer
	closed bool
	work   sync.WaitGroup
}

// New returns an empty pool. When ctx ends nothing more is started; only Close
// stops what stands ready.
func New(ctx context.Context, cfg Config) (*Pool, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Pool{cfg: cfg, shelf: shelf{limits: limits{
		shapes: cfg.MaxShapes, executors: cfg.MaxExecutors, depth: cfg.Depth,
		ttl: cfg.TTL, refillAfter: cfg.RefillAfter, joinWithin: cfg.JoinWithin,
	}}}
	p.ctx, p.quit = context.WithCancel(ctx)
	return p, nil
}

// Warm keeps sets of n executors of shape ready from now on.
func (p *Pool) Warm(shape Shape, n int) {
	p.step(func(s *shelf, now time.Time) deeds { return s.want(now, shape, n) })
}

// Take hands over n warm executors of shape with their directory, or reports
// that there are none. They are the caller's: to assign, and to stop.
func (p *Pool) Take(shape Shape, n int) (set Set, ok bool) {
	p.step(func(s *shelf, now time.Time) (d deeds) {
		set, ok, d = s.take(now, shape, n)
		return d
	})
	return set, ok
}

// Joined says that an executor has joined the host and waits. Ids that are
// not the pool's are ignored.
func (p *Pool) Joined(id string) {
	p.step(func(s *shelf, now time.Time) deeds { return s.joined(now, id) })
}

// Lost says that an executor has ended or gone silent. Ids that are not the
// pool's, or no longer, are ignored.
func (p *Pool) Lost(id string) {
	p.step(func(s *shelf, now time.Time) deeds { return s.lost(now, id) })
}

// Stand is how many executors are warm and how many should be.
type Stand struct {
	Ready  int `json:"ready"`
	Wanted int `json:"wanted"`
}

// Standing tells how the pool stands on each node that it has anything to do
// with. The receiver owns it.
func (p *Pool) Standing() map[core.NodeID]Stand {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shelf.standing()
}

// Close stops every executor that was not taken and returns when they are
// gone. Later calls have no effect.
func (p *Pool) Close() {
	p.mu.Lock()
	if !p.closed {
		p.do(p.shelf.empty())
		p.closed = true
		if p.timer != nil {
			p.timer.Stop()
		}
		p.quit()
	}
	p.mu.Unlock()
	p.work.Wait()
}

// step lets the shelf decide, sees to it that what it answers is done, and
// sets the alarm for when it has to decide again.
func (p *Pool) step(decide func(*shelf, time.Time) deeds) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.stepLocked(decide)
	}
}

func (p *Pool) stepLocked(decide func(*shelf, time.Time) deeds) {
	now := time.Now()
	p.do(decide(&p.shelf, now))
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if at := p.shelf.next(now); !at.IsZero() {
		p.timer = time.AfterFunc(at.Sub(now), func() {
			p.step(func(s *shelf, now time.Time) deeds { return s.tick(now) })
		})
	}
}

// do begins deeds. p.mu is held.
func (p *Pool) do(d deeds) {
	for _, s := range d.start {
		p.work.Go(func() { p.start(s) })
	}
	for _, s := range d.stop {
		p.work.Go(func() { p.stop(s) })
	}
}

func (p *Pool) start(w starting) {
	set, err := p.cfg.Host.Furnish(p.ctx, w.shape, w.size)
	if err == nil && len(set.Executors) != w.size {
		p.cfg.Host.Discard(set)
		err = errors.New("the host furnished another number of executors")
	}
	if err == nil {
		err = p.launch(w.id, set)
	}
	if err != nil && p.ctx.Err() == nil {
		p.cfg.Log.Warn("warm executors did not start", "error", err)
	}
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.stepLocked(func(s *shelf, now time.Time) deeds { return s.started(now, w.id, set, err) })
	}
	p.mu.Unlock()
	if closed && err == nil {
		p.stop(set) // Close waits for it
	}
}

// launch starts a furnished set; on an error nothing of it is left.
func (p *Pool) launch(id int, set Set) error {
	p.mu.Lock()
	wanted := !p.closed && p.shelf.furnished(id, set)
	p.mu.Unlock()
	err := errors.New("no longer wanted")
	if wanted {
		err = p.cfg.Launcher.Start(p.ctx, set.Executors)
	}
	if err != nil {
		p.cfg.Host.Discard(set)
	}
	return err
}

const (
	stopWithin = 30 * time.Second
	stopTries  = 5
)

// stop stops a set and then discards it. An engine that does not answer is
// asked again a few times; after that the host's own comparison of List and
// journal finds what is left.
func (p *Pool) stop(set Set) {
	_, err := backoff.Retry(context.WithoutCancel(p.ctx), func() (struct{}, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), stopWithin)
		defer cancel()
		return struct{}{}, p.cfg.Launcher.Stop(ctx, set.ids()...)
	}, backoff.WithMaxTries(stopTries))
	if err != nil {
		p.cfg.Log.Error("warm executors are not stopped", "executors", set.ids(), "error", err)
	}
	p.cfg.Host.Discard(set)
}
