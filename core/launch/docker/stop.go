package docker

import (
	"context"
	"errors"
	"os"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/capstan-run/capstan/core/launch"
)

// Stop kills executors and removes all of theirs. It interrupts a Start that
// is under way for one of them, which takes that whole set back.
func (l *Launcher) Stop(ctx context.Context, ids ...string) error {
	return l.ledger.Stop(ctx, ids, l.hands())
}

// remove takes away the containers, their scratch directories, and networks
// that nobody uses any more.
func (l *Launcher) remove(ctx context.Context, ids []string) error {
	err := each(len(ids), func(i int) error {
		if !launch.ValidID(ids[i]) {
			return nil // a path, perhaps; no executor of ours
		}
		if err := l.removeContainer(ctx, ids[i]); err != nil {
			return l.engineError("remove", err).At("executor " + ids[i])
		}
		if err := os.RemoveAll(l.scratch(ids[i])); err != nil {
			return stateError(err).At("executor " + ids[i])
		}
		return nil
	})
	return errors.Join(err, l.dropNetworks(ctx))
}

func (l *Launcher) removeContainer(ctx context.Context, id string) error {
	ctx, cancel := call(ctx)
	defer cancel()
	name := l.container(id)
	err := l.engine.ContainerRemove(ctx, name, container.RemoveOptions{Force: true, RemoveVolumes: true})
	switch {
	case err == nil, cerrdefs.IsNotFound(err):
		return nil
	case cerrdefs.IsConflict(err): // another removal is under way: wait for it
		return l.waitRemoved(ctx, name)
	}
	return err
}

func (l *Launcher) waitRemoved(ctx context.Context, name string) error {
	done, failed := l.engine.ContainerWait(ctx, name, container.WaitConditionRemoved)
	select {
	case <-done:
		return nil
	case err := <-failed:
		if cerrdefs.IsNotFound(err) {
			return nil
		}
		return err
	}
}
