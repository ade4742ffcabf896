package coordinate

import (
	"testing"
	"time"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// TestSignsOfLifeAreProgress: a script may work long on what it has read.
func TestSignsOfLifeAreProgress(t *testing.T) {
	m := New(Config{Slots: 1, Attempts: 4, Timeout: time.Minute}, State{Splits: []input.Split{{Bytes: 1}}})
	m.Step(0, Begin{})
	m.Step(0, GangUp{Size: 1})
	p := task.Progress{Task: task.ID{Phase: task.Map}, Bytes: 1}
	for now := int64(0); now < 5*60_000; now += 50_000 {
		p.Beats++
		m.Step(now, FromRank{Up: task.Up{Progress: &p}})
		if got := m.Step(now+40_000, Tick{}); len(got) > 0 {
			t.Fatalf("at %d ms a try that is alive is given up: %+v", now, got)
		}
	}
	if got := m.Step(10*60_000, Tick{}); len(got) == 0 {
		t.Error("a try without a sign of life goes on")
	}
}
