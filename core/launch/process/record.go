package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/capstan-run/capstan/core/launch"
)

// record is what lasts of an executor.
type record struct {
	ID      string            `json:"id"`
	Labels  map[string]string `json:"labels,omitempty"`
	Process process           `json:"process,omitzero"` // zero until it exists
	Started time.Time         `json:"started"`
	Exit    *launch.Exit      `json:"exit,omitempty"` // once ended
}

// process is one process of this machine for ever (law P1).
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot
	Boot  string `json:"boot"`
}

func (l *Launcher) recordPath(id string) string { return filepath.Join(l.dir(id), "state.json") }

// write replaces the record in one step. It is not synced: after a power
// failure the process is gone too.
func (l *Launcher) write(r record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := l.recordPath(r.ID)
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (l *Launcher) read(id string) (record, error) {
	b, err := os.ReadFile(l.recordPath(id))
	if err != nil {
		return record{}, err
	}
	return parseRecord(b, id)
}

// parseRecord reads a record and checks that it is id's.
func parseRecord(b []byte, id string) (record, error) {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, fmt.Errorf("read the record of executor %s: %w", id, err)
	}
	if r.ID != id {
		return record{}, fmt.Errorf("the record of executor %s is of %q", id, r.ID)
	}
	if r.Process.PID < 0 || r.Process.PID == 1 {
		return record{}, fmt.Errorf("the record of executor %s names process %d", id, r.Process.PID)
	}
	return r, nil
}

// records reads every record. One that cannot be read (a host that died
// before it was written, a power failure) is given as an executor that never
// started, so that it is seen and stopped.
func (l *Launcher) records() ([]record, error) {
	dirs, err := os.ReadDir(l.root())
	if err != nil {
		return nil, err
	}
	var all []record
	for _, d := range dirs {
		r, err := l.read(d.Name())
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				l.log.Warn("a record cannot be read", "error", err)
			} else if _, gone := os.Stat(l.dir(d.Name())); gone != nil {
				continue // stopped while we read
			}
			r = record{ID: d.Name()}
		}
		all = append(all, r)
	}
	return all, nil
}
