package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
)

// VolumeView is a volume for people.
type VolumeView struct {
	Volume  string     `json:"volume"`
	Bytes   core.Bytes `json:"bytes"`         // of its files
	Changed time.Time  `json:"changed"`       // when a file of it last was
	Job     core.JobID `json:"job,omitempty"` // that has it; "" for none
}

// removing begins the name of a volume's directory while it is removed.
const removing = ".removed-"

// Volumes lists the volumes of this host by name. It looks at all of their
// files. The receiver owns the list.
func (h *Host) Volumes(ctx context.Context) ([]VolumeView, error) {
	dir := h.volumeDir("")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fileError("list the volumes", dir, err)
	}
	h.mu.Lock()
	owners := h.volumeOwners()
	h.mu.Unlock()
	var list []VolumeView
	for _, e := range entries {
		if !volumeName.MatchString(e.Name()) {
			continue // it is being removed
		}
		v := VolumeView{Volume: e.Name(), Job: owners[e.Name()]}
		if err := v.measure(ctx, h.volumeDir(e.Name())); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// measure looks at a volume's files; who has it may change them meanwhile.
func (v *VolumeView) measure(ctx context.Context, dir string) error {
	return filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return nil // gone
		}
		st, err := d.Info()
		if err != nil {
			return nil
		}
		if st.ModTime().After(v.Changed) {
			v.Changed = st.ModTime()
		}
		if st.Mode().IsRegular() {
			v.Bytes += core.Bytes(st.Size())
		}
		return nil
	})
}

// RemoveVolume removes a volume and what is in it. It is a conflict while a job
// that has not ended has it, or the last executor that had it has not stopped.
func (h *Host) RemoveVolume(name string) error {
	if !volumeName.MatchString(name) {
		return noVolume(name)
	}
	dir := h.volumeDir(name)
	trash := filepath.Join(filepath.Dir(dir), removing+name)
	if err := os.RemoveAll(trash); err != nil { // of a host that was killed
		return fileError("remove volume "+name, trash, err)
	}
	if err := h.takeAway(name, dir, trash); err != nil {
		return err
	}
	if err := os.RemoveAll(trash); err != nil {
		return fileError("remove volume "+name, trash, err)
	}
	return nil
}

// takeAway moves a volume that nobody has to where nobody finds it.
func (h *Host) takeAway(name, dir, trash string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if job := h.volumeOwners()[name]; job != "" {
		return core.Errorf(core.Conflict, "volume %s belongs to job %s, which has not ended", name, job).
			Do("`capstan cancel " + string(job) + "`, then remove it")
	}
	if h.volumes.has(name) {
		return core.Errorf(core.Conflict, "the executor that had volume %s has not stopped yet", name).Do("wait a moment and try again")
	}
	if err := os.Rename(dir, trash); errors.Is(err, fs.ErrNotExist) {
		return noVolume(name)
	} else if err != nil {
		return fileError("remove volume "+name, dir, err)
	}
	return nil
}

// has reports whether a gang holds a volume.
func (v *volumes) has(name string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, held := v.held[name]
	return held
}

func noVolume(name string) error {
	return core.Errorf(core.NotFound, "no volume %q", name).Do("`capstan volume ls` shows the volumes there are")
}

// sweepVolumes finishes what a host that was killed had begun to remove.
func (h *Host) sweepVolumes() {
	entries, err := os.ReadDir(h.volumeDir(""))
	if err != nil {
		return // there are none
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), removing) {
			if err := os.RemoveAll(h.volumeDir(e.Name())); err != nil {
				h.log.Warn("a removed volume is still there", "err", err)
			}
		}
	}
}
