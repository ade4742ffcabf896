package docker

import (
	"context"

	"github.com/docker/docker/api/types/container"

	"github.com/capstan-run/capstan/core/launch"
)

const labelTogether = "capstan.together"

// order parts a set into those that are started first and those that join them:
// the first of each company, unless one of it runs already.
func (l *Launcher) order(ctx context.Context, set []launch.Executor) (first, rest []int, anchors map[string]string, err error) {
	anchors = map[string]string{}
	for i := range set {
		name := set[i].Together
		if name == "" {
			first = append(first, i)
			continue
		}
		if anchors[name] == "" {
			if anchors[name], err = l.anchor(ctx, name); err != nil {
				return nil, nil, nil, err
			}
		}
		if anchors[name] == "" {
			anchors[name] = l.container(set[i].ID)
			first = append(first, i)
			continue
		}
		rest = append(rest, i)
	}
	return first, rest, anchors, nil
}

// anchor is a running container of a company; "" if there is none.
func (l *Launcher) anchor(ctx context.Context, name string) (string, error) {
	ctx, cancel := call(ctx)
	defer cancel()
	args := l.ours()
	args.Add("label", labelTogether+"="+name)
	args.Add("status", "running")
	list, err := l.engine.ContainerList(ctx, container.ListOptions{Filters: args})
	if err != nil {
		return "", l.engineError("list containers", err)
	}
	if len(list) == 0 {
		return "", nil
	}
	return list[0].ID, nil
}

// join has e's container share memory segments and processes with anchor's, if it
// is not e's own.
func (l *Launcher) join(e *launch.Executor, h *container.HostConfig, anchor string) {
	switch anchor {
	case "":
	case l.container(e.ID):
		h.IpcMode = container.IPCModeShareable
	default:
		h.IpcMode = container.IpcMode("container:" + anchor)
		h.PidMode = container.PidMode("container:" + anchor)
		h.ShmSize = 0 // it is the anchor's
	}
}
