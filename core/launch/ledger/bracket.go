package ledger

import (
	"context"
	"log/slog"

	"github.com/capstan-run/capstan/core/launch"
)

// Hands is a launcher's own part of Start and Stop. All fields are set.
type Hands struct {
	// Check refuses what could not work, before anything is made.
	Check func(*launch.Executor) error
	// Make starts all of a set in parallel. When it fails or ctx ends it may
	// leave some: Remove follows.
	Make func(context.Context, []launch.Executor) error
	// Remove takes away what there is of executors, and returns when it is
	// gone. Unknown ids are no error.
	Remove func(ctx context.Context, ids []string) error
	// Log hears of what Remove could not take away after a start that failed.
	Log *slog.Logger
}

// Start starts all of set by the launcher's hands, or leaves none (law L1 of
// package launch): a set that fails, is given up through ctx or meets a Stop of
// one of its members is taken back before Start returns.
func (l *Ledger) Start(ctx context.Context, set []launch.Executor, h Hands) error {
	if len(set) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ids := make([]string, len(set))
	for i := range set {
		if err := h.Check(&set[i]); err != nil {
			return err
		}
		ids[i] = set[i].ID
	}
	entry, err := l.Begin(ids, cancel)
	if err != nil {
		return err
	}
	if err := h.Make(ctx, set); err != nil {
		if left := h.Remove(context.WithoutCancel(ctx), ids); left != nil {
			h.Log.Error("a set that did not start left something behind", "error", left)
		}
		l.Abandon(entry)
		return err
	}
	l.Started(entry)
	return nil
}

// Stop ends executors by the launcher's hands and removes all of theirs. It
// interrupts a Start that is under way for one of them, which takes that whole
// set back. They are forgotten first (law G3), so that the kill is not reported
// as an end.
func (l *Ledger) Stop(ctx context.Context, ids []string, h Hands) error {
	if err := l.Interrupt(ctx, ids...); err != nil {
		return err
	}
	l.Forget(ids...)
	return h.Remove(ctx, ids)
}
