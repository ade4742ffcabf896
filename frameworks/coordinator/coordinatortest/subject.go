package coordinatortest

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
)

// Subject is a framework's coordinator with its workers.
type Subject struct {
	// Coordinate runs one generation of an attempt over w until it ends. answer is
	// what must not depend on who was killed when, for cmp; it counts if err is nil.
	Coordinate func(ctx context.Context, w *World, g Generation) (answer any, err error)
	// Work is the worker of an executor, as core.Framework's.
	Work func(ctx context.Context, env *core.Env) error
	Size int             // of the gang
	Body json.RawMessage // of the spec that executors see
}

// Generation is a coordinator's part of an attempt.
type Generation struct {
	Host   core.Host
	Number int64  // from 1
	Saved  []byte // of the one before; nil at first
}

// Run drives a subject through everything, storms from so many seeds. subject makes
// one for each run.
func Run(t *testing.T, subject func(t *testing.T) Subject, storms int) {
	want, steps := undisturbed(t, subject)
	same := func(t *testing.T, what string, f faults) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, subject(t), f)
			got, err := w.Attempt()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%s, the answer differs (-want +got):\n%s", what, d)
			}
		})
	}
	t.Run("killed coordinator", func(t *testing.T) { killCoordinator(t, steps, same) })
	t.Run("killed executor", func(t *testing.T) { killExecutors(t, steps, same) })
	t.Run("storm", func(t *testing.T) { storm(t, storms, same) })
}

// undisturbed is the answer of a run without faults, and who did each step.
func undisturbed(t *testing.T, subject func(t *testing.T) Subject) (answer any, steps []int) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, subject(t), faults{})
		var err error
		if answer, err = w.Attempt(); err != nil {
			t.Fatal(err)
		}
		steps = w.steps
	})
	if len(steps) == 0 {
		t.Fatal("the undisturbed run did nothing")
	}
	return answer, steps
}
