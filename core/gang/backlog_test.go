package gang

import (
	"testing"

	"github.com/capstan-run/capstan/core"
)

// TestBacklog: what waits is counted while it waits, and the most that did is
// remembered for some weeks.
func TestBacklog(t *testing.T) {
	w := newObedient(func(q Request) int64 { return q.Walltime })
	submit := func(name string, size int, seconds int64) {
		w.submit(Request{Gang: ID(name + "/m"), Job: core.JobID(name), Size: size, Each: core.Resources{CPU: 1000}, Walltime: seconds * 1000,
			StartTimeout: 1000, Predicted: seconds * 1000})
	}
	line := &w.s.promises.line
	submit("runs", 16, 100)
	submit("two", 2, 50)
	submit("all", 16, 10)
	if want := int64(2*50+16*10) * 1000; line.sum != want {
		t.Errorf("%d waits, want %d", line.sum, want)
	}
	w.step(Cancel{Now: w.now, Gang: "two/m"})
	if want := int64(16*10) * 1000; line.sum != want {
		t.Errorf("%d waits after one was cancelled, want %d", line.sum, want)
	}
	w.until(150_000)
	if line.sum != 0 {
		t.Errorf("%d waits and all run", line.sum)
	}
	peak := line.most(w.now)
	if peak < 16*10*1000 {
		t.Errorf("%d is the most that waited", peak)
	}
	if got := line.most(w.now + 2*memory); got != peak/4 {
		t.Errorf("%d is left of %d", got, peak)
	}
}
