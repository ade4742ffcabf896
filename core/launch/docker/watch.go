package docker

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"github.com/capstan-run/capstan/core/launch"
)

// killed is the code of a process ended by signal 9, and thus of one that ran
// out of memory.
const killed = 137

// adopt enters the instance's executors into the ledger, and removes what a
// host that died in between left: scratch directories and networks of none.
func (l *Launcher) adopt(ctx context.Context) error {
	list, err := l.List(ctx)
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(list))
	for _, s := range list {
		known[s.ID] = true
		l.ledger.Adopt(s.ID, s.Running)
	}
	if err := l.sweepScratch(known); err != nil {
		return err
	}
	l.nets.any = true
	return l.dropNetworks(ctx)
}

// sweepScratch removes the scratch directories of executors that are not known.
func (l *Launcher) sweepScratch(known map[string]bool) error {
	dirs, err := os.ReadDir(l.scratchRoot())
	if err != nil {
		return stateError(err)
	}
	for _, d := range dirs {
		if !known[d.Name()] {
			if err := os.RemoveAll(l.scratch(d.Name())); err != nil {
				l.log.Warn("a leftover scratch directory stays", "error", err)
			}
		}
	}
	return nil
}

// sweepLate is for containers that were still there when adopt looked, and
// then vanished by themselves: the engine takes back a create whose caller was
// killed. It is for the end, when no start is under way.
func (l *Launcher) sweepLate() {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	list, err := l.List(ctx)
	if err != nil {
		return // the next launcher looks again
	}
	known := make(map[string]bool, len(list))
	for _, s := range list {
		known[s.ID] = true
	}
	if err := l.sweepScratch(known); err != nil {
		l.log.Warn("sweep scratch", "error", err)
	}
}

// watch keeps a stream of the engine's events open until ctx ends. The first
// stream stands when it returns, or the watcher is already trying again.
func (l *Launcher) watch(ctx context.Context) {
	first := make(chan struct{})
	stands := sync.OnceFunc(func() { close(first) })
	l.watcher.Go(func() { l.keepFollowing(ctx, stands) })
	select {
	case <-first:
	case <-time.After(answerWithin): // an engine this slow is the watcher's to wait for
	}
}

// keepFollowing follows one stream after another (law D5). stands is called
// whenever one stands.
func (l *Launcher) keepFollowing(ctx context.Context, stands func()) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = 20 * time.Millisecond
	pause.MaxInterval = time.Second
	away := false
	for {
		err := l.follow(ctx, func() {
			pause.Reset()
			if away {
				l.log.Info("the Docker engine is back")
			}
			away = false
			stands()
		})
		if ctx.Err() != nil {
			return
		}
		if !away {
			l.log.Warn("the Docker engine's events broke off", "error", err)
		}
		away = true
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
			return
		}
	}
}

// follow reads one stream of events to its end. connected is called when the
// stream stands and the live executors have been compared with the list.
func (l *Launcher) follow(ctx context.Context, connected func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	messages, failed := l.engine.Events(ctx, events.ListOptions{Filters: filters.NewArgs(
		filters.Arg("type", string(events.ContainerEventType)),
		filters.Arg("label", launch.LabelInstance+"="+l.cfg.Instance),
		filters.Arg("event", string(events.ActionDie)),
		filters.Arg("event", string(events.ActionOOM)),
	)})
	// Comparing after the stream stands leaves no gap between the two.
	if err := l.reconcile(ctx); err != nil {
		return err
	}
	connected()
	oom := map[string]bool{}
	for {
		select {
		case m := <-messages:
			l.heed(ctx, m, oom)
		case err := <-failed:
			if err == nil {
				err = io.EOF
			}
			return err
		}
	}
}

// reconcile delivers the end of every live executor that the engine no longer
// has running.
func (l *Launcher) reconcile(ctx context.Context) error {
	live := l.ledger.Live() // before the list: one that starts meanwhile is in neither
	if len(live) == 0 {
		_, err := l.engine.Ping(ctx)
		return err
	}
	list, err := l.List(ctx)
	if err != nil {
		return err
	}
	found := make(map[string]launch.Status, len(list))
	for _, s := range list {
		found[s.ID] = s
	}
	for _, id := range live {
		s, ok := found[id]
		switch {
		case !ok:
			l.ledger.End(launch.Exit{ID: id, Code: -1, Reason: "its container was removed"})
		case !s.Running:
			l.ledger.End(s.Exit)
		}
	}
	return nil
}

// heed turns an event into an end. oom holds the executors whose memory ran
// out and whose end has not come.
func (l *Launcher) heed(ctx context.Context, m events.Message, oom map[string]bool) {
	attrs := m.Actor.Attributes
	id := attrs[launch.LabelExecutor]
	if m.Action == events.ActionOOM {
		oom[id] = true
		return
	}
	code, err := strconv.Atoi(attrs["exitCode"])
	if err != nil {
		code = -1
	}
	out := oom[id]
	delete(oom, id)
	if code == killed && !out {
		out = l.ranOut(ctx, m.Actor.ID)
	}
	l.ledger.End(exit(id, code, out, attrs))
}

// ranOut asks whether a killed container had run out of memory: the engine's
// event of that may come after the one of the death.
func (l *Launcher) ranOut(ctx context.Context, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	c, err := l.engine.ContainerInspect(ctx, id)
	if err != nil {
		if !cerrdefs.IsNotFound(err) && !errors.Is(err, context.Canceled) {
			l.log.Warn("no answer about a killed container", "container", id, "error", err)
		}
		return false
	}
	return c.State != nil && c.State.OOMKilled
}
