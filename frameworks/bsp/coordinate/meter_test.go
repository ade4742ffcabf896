package coordinate

import (
	"testing"

	"github.com/capstan-run/capstan/frameworks/bsp/task"
)

// TestEdgesPerSecond: ranks follow edges side by side, incarnations one after
// the other.
func TestEdgesPerSecond(t *testing.T) {
	m := meter{}
	m.resize(2)
	if m.edgesPerSecond() != 0 {
		t.Error("edges that nobody followed")
	}
	m.total(0, task.Superstep{Edges: 3e9, Following: 1e9})
	m.begin()
	m.total(0, task.Superstep{Edges: 1e9, Following: 1e9})
	m.total(1, task.Superstep{Edges: 1e9, Following: 5e8})
	if got := m.edgesPerSecond(); got != 2.5e9 {
		t.Errorf("%v edges/s", got)
	}
	for x, want := range map[float64]string{0: "0", 999: "999", 1.234e6: "1.23 million", 2.5e9: "2.5 billion"} {
		if got := count(x); got != want {
			t.Errorf("%v is %q, not %q", x, got, want)
		}
	}
}
