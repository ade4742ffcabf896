package process

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
)

// Stop kills executors with all their processes and removes their directories.
// It interrupts a Start that is under way for one of them, which takes that
// whole set back.
func (l *Launcher) Stop(ctx context.Context, ids ...string) error {
	return l.ledger.Stop(ctx, ids, l.hands())
}

func (l *Launcher) remove(ctx context.Context, ids []string) error {
	var wg sync.WaitGroup
	errs := make([]error, len(ids))
	for i, id := range ids {
		wg.Go(func() {
			if err := l.removeOne(ctx, id); err != nil {
				errs[i] = (&core.Error{Kind: core.Internal, What: "stop", Err: err}).At("executor " + id)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (l *Launcher) removeOne(ctx context.Context, id string) error {
	l.mu.Lock()
	if w := l.watched[id]; w != nil {
		delete(l.watched, id)
		w.cancel()
	}
	l.mu.Unlock()
	if !launch.ValidID(id) {
		return nil // a path, perhaps; no executor of ours
	}
	if _, err := os.Lstat(l.dir(id)); err != nil {
		return nil // unknown, or stopped before
	}
	r, err := l.read(id)
	if err != nil {
		r = record{ID: id} // what runs is found by its mark
	}
	if err := l.kill(ctx, id, r.Process); err != nil {
		return err
	}
	if r.Process.PID != 0 {
		reap(r.Process.PID)
	}
	return os.RemoveAll(l.dir(id))
}

// killRest ends what an ended executor left of its session.
func (l *Launcher) killRest(r record) error {
	return l.kill(context.Background(), r.ID, r.Process)
}

// List shows every executor in the state folder.
func (l *Launcher) List(context.Context) ([]launch.Status, error) {
	all, err := l.records()
	if err != nil {
		return nil, (&core.Error{Kind: core.Internal, What: "list executors", Err: err}).At(l.root())
	}
	list := make([]launch.Status, len(all))
	for i, r := range all {
		list[i] = l.status(r)
	}
	return list, nil
}

func (l *Launcher) status(r record) launch.Status {
	s := launch.Status{ID: r.ID, Labels: r.Labels, Started: r.Started}
	switch {
	case r.Exit != nil:
		s.Exit = *r.Exit
	case l.alive(r.Process):
		s.Running = true
	case r.Process.PID == 0:
		s.Exit = launch.Exit{ID: r.ID, Code: -1, Reason: "it never started"}
	default:
		s.Exit = launch.Exit{ID: r.ID, Code: -1, Reason: launch.Reason(-1)}
	}
	return s
}

// adopt takes over the executors of a launcher that is gone. One that was
// forked but not yet recorded is found by its mark.
func (l *Launcher) adopt() error {
	all, err := l.records()
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Process.PID == 0 && r.Exit == nil {
			r = l.findLeader(r)
		}
		w := l.hold(r)
		l.ledger.Adopt(r.ID, w != nil)
		if w == nil { // ended; List shows it
			continue
		}
		if err := l.await(r, w); err != nil {
			return err
		}
	}
	return nil
}

// hold takes hold of a recorded process, nil if it has ended.
func (l *Launcher) hold(r record) *watch {
	if r.Exit != nil || !l.alive(r.Process) {
		return nil
	}
	w, err := newWatch(r.Process.PID)
	if err != nil {
		return nil
	}
	if !l.alive(r.Process) { // its pid was used again before we held it
		w.cancel()
		return nil
	}
	return w
}

func (l *Launcher) findLeader(r record) record {
	found, err := l.members(r.ID, process{})
	if err != nil {
		return r
	}
	for _, pid := range found {
		if s, err := readStat(pid); err == nil && s.session == pid {
			r.Process = process{PID: pid, Start: s.start, Boot: l.boot}
			if err := l.write(r); err != nil {
				l.log.Warn("a found executor is not recorded", "executor", r.ID, "error", err)
			}
			return r
		}
	}
	return r
}
