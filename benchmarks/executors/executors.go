// Package executors finds the processes that execute a job on this machine, as
// somebody would who means them harm: by what the launchers leave in the open.
//
// # Model
//
//	process   <state>/launch/executors/<id>/state.json
//	docker    containers with the label of the host's instance
//
// An executor that was started for a job carries the job's name. One that stood
// ready before carries none: it is the job's if it was there when the job's gang
// was granted, as long as the host sees one job at a time and gangs of one shape.
package executors

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
)

// Executor is a running process.
type Executor struct {
	ID      string // the launcher's name for it
	PID     int
	Started time.Time
	labels  map[string]string
}

// Of lists the executors of a job whose gang was granted at that time, by their
// names. state is the host's state directory, launcher is "process" or "docker".
func Of(ctx context.Context, state, launcher string, job core.JobID, granted time.Time) ([]Executor, error) {
	find := processes
	if launcher == "docker" {
		find = containers
	}
	all, err := find(ctx, state)
	if err != nil {
		return nil, fmt.Errorf("find the executors of %s: %w", job, err)
	}
	all = slices.DeleteFunc(all, func(e Executor) bool {
		of, named := e.labels["job"]
		return named && of != string(job) || !named && e.Started.After(granted)
	})
	slices.SortFunc(all, func(a, b Executor) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// processes are those of the process launcher.
func processes(_ context.Context, state string) ([]Executor, error) {
	files, err := filepath.Glob(filepath.Join(state, "launch", "executors", "*", "state.json"))
	if err != nil {
		return nil, err
	}
	var all []Executor
	for _, name := range files {
		b, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // it ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		var r struct {
			ID      string
			Labels  map[string]string
			Process struct{ PID int }
			Started time.Time
			Exit    *struct{}
		}
		if err := json.Unmarshal(b, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if r.Exit == nil && r.Process.PID > 1 {
			all = append(all, Executor{ID: r.ID, PID: r.Process.PID, Started: r.Started, labels: r.Labels})
		}
	}
	return all, nil
}

// containers are those of the docker launcher.
func containers(ctx context.Context, state string) ([]Executor, error) {
	instance, err := os.ReadFile(filepath.Join(state, "instance"))
	if err != nil {
		return nil, err
	}
	out, err := docker(ctx, "ps", "-q", "--filter", "label=capstan.instance="+strings.TrimSpace(string(instance)))
	if err != nil {
		return nil, err
	}
	ids := strings.Fields(string(out))
	if len(ids) == 0 {
		return nil, nil
	}
	if out, err = docker(ctx, append([]string{"inspect", "--format", "{{json .}}"}, ids...)...); err != nil {
		return nil, err
	}
	var all []Executor
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var c struct {
			State struct {
				Pid       int
				StartedAt time.Time
			}
			Config struct{ Labels map[string]string }
		}
		err := dec.Decode(&c)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if c.State.Pid > 1 {
			all = append(all, Executor{ID: c.Config.Labels["capstan.executor"], PID: c.State.Pid, Started: c.State.StartedAt, labels: c.Config.Labels})
		}
	}
}

func docker(ctx context.Context, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, "docker", args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("docker %s: %w: %s", args[0], err, bytes.TrimSpace(exit.Stderr))
	}
	return out, err
}
