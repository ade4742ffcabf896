package host

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
)

var volumeName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,120}$`)

// volumes keeps two gangs from one volume: an executor that ends may still
// write while its successor starts.
type volumes struct {
	mu   sync.Mutex
	held map[string]hold
}

type hold struct {
	by   *gangRun
	over chan struct{} // closed when it is let go
}

// take waits until all of g's volumes are free, or ctx ends, and holds them.
func (v *volumes) take(ctx context.Context, g *gangRun) error {
	for _, vol := range g.state.Ask.Volumes {
		for {
			over, ok := v.try(vol.Name, g)
			if ok {
				break
			}
			select {
			case <-over:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

func (v *volumes) try(name string, g *gangRun) (over <-chan struct{}, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.held == nil {
		v.held = map[string]hold{}
	}
	if h, taken := v.held[name]; taken && h.by != g {
		return h.over, false
	} else if !taken {
		v.held[name] = hold{g, make(chan struct{})}
	}
	return nil, true
}

// pass hands what g holds to next, who lets it go.
func (v *volumes) pass(g, next *gangRun) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, h := range v.held {
		if h.by == g {
			v.held[name] = hold{next, h.over}
		}
	}
}

// release lets go of what g holds.
func (v *volumes) release(g *gangRun) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, h := range v.held {
		if h.by == g {
			delete(v.held, name)
			close(h.over)
		}
	}
}

// volumeDir is where a volume's content is.
func (h *Host) volumeDir(name string) string {
	return filepath.Join(h.cfg.StateDir, "volumes", name)
}

// mount makes a gang's volumes and shows them to an executor.
func (h *Host) mount(ex *launch.Executor, list []core.Volume) error {
	for _, v := range list {
		dir := h.volumeDir(v.Name)
		err := os.MkdirAll(filepath.Dir(dir), 0o711)
		if err == nil {
			err = os.MkdirAll(dir, 0o700)
		}
		if err == nil {
			err = h.own(dir)
		}
		if err != nil {
			return fileError("make volume "+v.Name, dir, err)
		}
		ex.Volumes = append(ex.Volumes, launch.Volume{Dir: dir, Path: v.Path, Env: v.Env})
	}
	return nil
}

func checkVolumes(g core.GangAsk) error {
	for _, v := range g.Volumes {
		if !volumeName.MatchString(v.Name) {
			return core.Errorf(core.Invalid, "a volume cannot be called %q", v.Name).Do("use lower-case letters, digits, '.' and '-'")
		}
		if g.Size != 1 {
			return core.Errorf(core.Invalid, "gang %s has %d executors and a volume", g.Name, g.Size).Do("give each executor with a volume a gang of its own")
		}
	}
	return nil
}

// keepVolumes makes a gang's volumes the job's own.
func (r *record) keepVolumes(ask core.GangAsk) {
	for _, v := range ask.Volumes {
		if !slices.Contains(r.Volumes, v.Name) {
			r.Volumes = append(r.Volumes[:len(r.Volumes):len(r.Volumes)], v.Name) // who encodes the record may hold the old one
		}
	}
}

// volumeTaken finds another job that has a volume of these gangs. h.mu is held.
func (h *Host) volumeTaken(id core.JobID, asks ...core.GangAsk) error {
	var owners map[string]core.JobID
	for _, ask := range asks {
		for _, v := range ask.Volumes {
			if owners == nil {
				owners = h.volumeOwners()
			}
			if owner := owners[v.Name]; owner != "" && owner != id {
				return core.Errorf(core.Conflict, "volume %s belongs to job %s, which runs", v.Name, owner).
					Do("cancel that job first, or choose another name")
			}
		}
	}
	return nil
}

// volumeOwners are the jobs that have not ended, by the volumes that they have
// had or will have. h.mu is held.
func (h *Host) volumeOwners() map[string]core.JobID {
	owners := map[string]core.JobID{}
	for _, j := range h.jobs {
		if j.rec.Job.State.Final() {
			continue
		}
		for _, name := range j.rec.Volumes {
			owners[name] = j.rec.Job.ID
		}
		for _, ask := range j.rec.Plan.Gangs {
			for _, v := range ask.Volumes {
				owners[v.Name] = j.rec.Job.ID
			}
		}
		for _, g := range j.rec.Gangs { // of a host that did not write down Volumes
			for _, v := range g.Ask.Volumes {
				owners[v.Name] = j.rec.Job.ID
			}
		}
	}
	return owners
}
