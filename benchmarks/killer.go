package benchmarks

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/capstan-run/capstan/benchmarks/executors"
	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
)

// killer kills one executor of a job on a running host.
type killer struct {
	place
	job   string
	stage string // in whose middle
	least int    // tasks that are done first
	turn  int    // chooses the executor
}

// errOver ends a killer whose job is over.
var errOver = errors.New("the job is over")

// kill waits until half of the stage's tasks are done, and others are not, and
// kills an executor.
func (k killer) kill(ctx context.Context) error {
	token, err := os.ReadFile(filepath.Join(k.state, "token"))
	if err != nil {
		return err
	}
	client, err := api.Dial(api.Options{Address: "unix://" + filepath.Join(k.state, "host.sock"), Token: strings.TrimSpace(string(token))})
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		err := k.follow(ctx, client)
		switch {
		case errors.Is(context.Cause(ctx), errOver):
			return k.late()
		case core.KindOf(err) != core.NotFound:
			return err
		}
		// The command that submits it has only begun.
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (k killer) late() error {
	return core.Errorf(core.Failed, "the middle of the %s stage of %s was not seen: the stage was too short", k.stage, k.job).
		At("--sizes").Do("name a larger size")
}

// follow watches the job until the blow.
func (k killer) follow(ctx context.Context, client *api.Client) error {
	struck := errors.New("struck")
	var granted time.Time
	err := client.Watch(ctx, k.job, 0, func(j *core.Job, e *apipb.JobEvent) error {
		if e != nil && e.Kind == "granted" {
			granted = e.Time.AsTime()
		}
		if j == nil || !k.midway(j.Progress.Stages) {
			return nil
		}
		if err := k.strike(ctx, granted); err != nil {
			return err
		}
		return struck
	})
	switch {
	case errors.Is(err, struck):
		return nil
	case err == nil:
		return k.late()
	}
	return err
}

func (k killer) midway(stages []core.Stage) bool {
	return slices.ContainsFunc(stages, func(s core.Stage) bool {
		return s.Name == k.stage && s.Done >= k.least && 2*s.Done >= s.Tasks && s.Done < s.Tasks
	})
}

func (k killer) strike(ctx context.Context, granted time.Time) error {
	list, err := executors.Of(ctx, k.state, k.launcher, core.JobID(k.job), granted)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return core.Errorf(core.Internal, "job %s is at work and no process of it is found", k.job).At(k.state)
	}
	return syscall.Kill(list[k.turn%len(list)].PID, syscall.SIGKILL)
}
