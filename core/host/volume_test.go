package host

import (
	"context"
	"os"
	"testing"

	"github.com/capstan-run/capstan/core"
)

func volumeAsk(gang, volume string) core.GangAsk {
	return core.GangAsk{Name: gang, Optional: true, Gang: core.Gang{Size: 1, CPU: 100, Memory: 1 << 20, Restart: "none"},
		Volumes: []core.Volume{{Name: volume, Path: "/data", Env: "DATA"}}}
}

// Two gangs never have one volume at a time, not even while one of them ends;
// and another job's is refused.
func TestVolumeHasOneHolder(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	s.started()
	c := s.scene()
	if err := c.WantGang(volumeAsk("old", "play.data.0")); err != nil {
		t.Fatal(err)
	}
	old := s.started()
	(*handler)(s.h).Joined(old[0], core.Rank{Job: id, Epoch: 1, Gang: "old"}, false)
	c.next(t)
	if _, err := os.Stat(s.h.volumeDir("play.data.0")); err != nil {
		t.Error(err)
	}

	other := s.submit(1, 0)
	s.started()
	stranger := s.scene()
	if err := stranger.WantGang(volumeAsk("thief", "play.data.0")); err != nil {
		t.Fatal(err)
	}
	if e, ok := stranger.next(t).(core.GangRefused); !ok || core.KindOf(e.Err) != core.Conflict {
		t.Errorf("another job's volume: %#v", e)
	}
	stranger.end <- nil
	s.until(other, "the end", ended)

	if err := c.WantGang(volumeAsk("new", "play.data.0")); err != nil {
		t.Fatal(err)
	}
	s.until(id, "the grant", func(core.Job) bool { return s.count(id, "granted") == 3 })
	select {
	case set := <-s.l.started:
		t.Fatalf("%v started beside %v", set, old)
	default:
	}
	if err := c.ReleaseGang("old"); err != nil {
		t.Fatal(err)
	}
	next := s.started()
	for _, left := range s.l.left() {
		if left == old[0] {
			t.Errorf("%v started while %s was there", next, left)
		}
	}
	c.end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
	if _, err := os.Stat(s.h.volumeDir("play.data.0")); err != nil {
		t.Errorf("the volume went with its job: %v", err)
	}
}

// A gang whose lease ends while it waits for a volume holds nothing.
func TestVolumeWaitEnds(t *testing.T) {
	var v volumes
	a, b := &gangRun{state: &gangState{Ask: volumeAsk("a", "x")}}, &gangRun{state: &gangState{Ask: volumeAsk("b", "x")}}
	if err := v.take(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.take(ctx, b); err == nil {
		t.Fatal("two hold one volume")
	}
	v.release(b)
	if _, ok := v.try("x", b); ok {
		t.Error("somebody else let it go")
	}
	v.pass(a, b)
	v.release(a)
	if _, ok := v.try("x", b); !ok {
		t.Error("what was passed on is not held")
	}
}
