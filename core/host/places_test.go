package host

import (
	"context"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// slowStop is a launcher whose executors take their time to stop.
type slowStop struct {
	*players
	stopping chan []string
	stopped  chan struct{}
}

func (l *slowStop) Stop(ctx context.Context, ids ...string) error {
	l.stopping <- ids
	<-l.stopped
	return l.players.Stop(ctx, ids...)
}

// The places of an array's elements are free when their executors have stopped,
// also when its job ends meanwhile.
func TestElementsKeepTheirPlacesUntilTheyStop(t *testing.T) {
	l := &slowStop{stopping: make(chan []string, 10), stopped: make(chan struct{})}
	s := newStageAt(t, t.TempDir(), func(c *Config) {
		l.players = c.Launcher.(*players)
		c.Launcher = l
	})
	id := s.submitArray("0-1", "")
	c := s.scene()
	c.want(t)
	s.element(id, 0)
	c.up(t, 0, false)
	s.element(id, 1)
	c.up(t, 1, false)
	c.done(t, 0, true)
	c.done(t, 1, true)
	c.end <- nil
	s.until(id, "its end", ended)
	<-l.stopping
	s.h.mu.Lock()
	held := 0
	for _, n := range s.h.sched.NodeViews() {
		held += n.Executors
	}
	s.h.mu.Unlock()
	if held != 2 {
		t.Errorf("%d places are held while 2 executors stop", held)
	}
	close(l.stopped)
	s.idle()
	s.until(id, "its executors' end", func(j core.Job) bool { return s.count(id, "swept") == 1 })
	s.nothingLeft()
	s.nothingOf()
}
