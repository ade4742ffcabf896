package docker

import (
	"context"
	"sync"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"github.com/capstan-run/capstan/core/launch"
)

// networks counts who is about to use a network, so that none is removed
// between its making and its first container.
type networks struct {
	mu       sync.Mutex
	starting map[string]int
	any      bool // the instance may have networks: without, Stop need not ask
}

func (l *Launcher) networkName(name string) string { return "capstan-" + l.cfg.Instance + "-" + name }

// needNetworks makes the networks of a set: bridges without a way out. The
// returned func, never nil, says that the set's containers stand or fell.
func (l *Launcher) needNetworks(ctx context.Context, set []launch.Executor) (func(), error) {
	names := map[string]bool{}
	for i := range set {
		if n := set[i].Network; n != "" {
			names[n] = true
		}
	}
	l.nets.mu.Lock()
	defer l.nets.mu.Unlock()
	if l.nets.starting == nil {
		l.nets.starting = map[string]int{}
	}
	release := func() {
		l.nets.mu.Lock()
		defer l.nets.mu.Unlock()
		for n := range names {
			l.nets.starting[n]--
			if l.nets.starting[n] == 0 {
				delete(l.nets.starting, n)
			}
		}
	}
	for n := range names {
		l.nets.starting[n]++
		l.nets.any = true
	}
	for n := range names {
		if err := l.makeNetwork(ctx, n); err != nil {
			return release, err
		}
	}
	return release, nil
}

func (l *Launcher) makeNetwork(ctx context.Context, name string) error {
	ctx, cancel := call(ctx)
	defer cancel()
	_, err := l.engine.NetworkInspect(ctx, l.networkName(name), network.InspectOptions{})
	if cerrdefs.IsNotFound(err) {
		_, err = l.engine.NetworkCreate(ctx, l.networkName(name), network.CreateOptions{
			Driver:   "bridge",
			Internal: true,
			Labels:   map[string]string{launch.LabelInstance: l.cfg.Instance, labelNetwork: name},
		})
	}
	if err != nil {
		return l.engineError("make the network", err).At("network " + name)
	}
	return nil
}

// dropNetworks removes the instance's networks that no container belongs to.
func (l *Launcher) dropNetworks(ctx context.Context) error {
	l.nets.mu.Lock()
	defer l.nets.mu.Unlock()
	if !l.nets.any {
		return nil
	}
	ctx, cancel := call(ctx)
	defer cancel()
	all, err := l.engine.NetworkList(ctx, network.ListOptions{Filters: l.ours()})
	if err != nil {
		return l.engineError("list networks", err)
	}
	left := 0
	for _, n := range all {
		gone, err := l.dropNetwork(ctx, n)
		if err != nil {
			return l.engineError("remove the network", err).At("network " + n.Labels[labelNetwork])
		}
		if !gone {
			left++
		}
	}
	l.nets.any = left > 0 || len(l.nets.starting) > 0
	return nil
}

func (l *Launcher) dropNetwork(ctx context.Context, n network.Summary) (bool, error) {
	name := n.Labels[labelNetwork]
	if l.nets.starting[name] > 0 {
		return false, nil
	}
	users, err := l.engine.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("label", launch.LabelInstance+"="+l.cfg.Instance),
		filters.Arg("label", labelNetwork+"="+name),
	)})
	if err != nil || len(users) > 0 {
		return false, err
	}
	err = l.engine.NetworkRemove(ctx, n.ID)
	if cerrdefs.IsNotFound(err) {
		err = nil
	}
	return err == nil, err
}
