package docker

import (
	"context"
	"strconv"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
)

// tailBytes bounds what Tail returns.
const tailBytes = 16 << 10

// List shows every executor of the instance, running or ended.
func (l *Launcher) List(ctx context.Context) ([]launch.Status, error) {
	all, err := l.engine.ContainerList(ctx, container.ListOptions{All: true, Filters: l.ours()})
	if err != nil {
		return nil, l.engineError("list containers", err)
	}
	list := make([]launch.Status, len(all))
	err = each(len(all), func(i int) error {
		s, err := l.status(ctx, all[i])
		list[i] = s
		return err
	})
	if err != nil {
		return nil, l.engineError("look at a container", err)
	}
	return list, nil
}

// status is what the engine says of one container. The list's own word lags
// behind the events: a container whose end was delivered may stand there as
// running, so each is looked at.
func (l *Launcher) status(ctx context.Context, c container.Summary) (launch.Status, error) {
	s := launch.Status{
		ID:      c.Labels[launch.LabelExecutor],
		Labels:  withoutOurs(c.Labels),
		Started: time.Unix(c.Created, 0),
	}
	s.Exit = launch.Exit{ID: s.ID, Code: -1, Reason: "its container was removed"}
	full, err := l.engine.ContainerInspect(ctx, c.ID)
	if cerrdefs.IsNotFound(err) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if at, err := time.Parse(time.RFC3339Nano, full.State.StartedAt); err == nil && at.Year() > 1 {
		s.Started = at
	}
	switch {
	case full.State.Running: // paused and restarting are running too
		s.Running, s.Exit = true, launch.Exit{}
	case full.State.Status == container.StateCreated:
		s.Exit.Reason = "it never started"
	default:
		s.Exit = exit(s.ID, full.State.ExitCode, full.State.OOMKilled, c.Labels)
	}
	return s, nil
}

// exit puts an end into words.
func exit(id string, code int, oom bool, labels map[string]string) launch.Exit {
	x := launch.Exit{ID: id, Code: code, OOM: oom, Reason: launch.Reason(code)}
	if oom {
		x.Reason = "out of memory"
		if limit, err := strconv.ParseInt(labels[labelMemory], 10, 64); err == nil && limit > 0 {
			x.Reason += " (limit " + core.Bytes(limit).String() + ")"
		}
	}
	return x
}

// withoutOurs returns the labels the host gave: our own start with "capstan.".
func withoutOurs(labels map[string]string) map[string]string {
	theirs := make(map[string]string, len(labels))
	for k, v := range labels {
		if !strings.HasPrefix(k, "capstan.") {
			theirs[k] = v
		}
	}
	return theirs
}

// Tail returns the last output of an executor, "" if there is none.
func (l *Launcher) Tail(ctx context.Context, id string) string {
	out, err := l.engine.ContainerLogs(ctx, l.container(id), container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Tail: "400",
	})
	if err != nil {
		return ""
	}
	defer out.Close()
	var t tail
	if _, err := stdcopy.StdCopy(&t, &t, out); err != nil && len(t) == 0 {
		return ""
	}
	return strings.ToValidUTF8(string(t), "�")
}

// tail is a writer that keeps the last tailBytes.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	if over := len(*t) - tailBytes; over > 0 {
		*t = append((*t)[:0], (*t)[over:]...)
	}
	return len(p), nil
}
