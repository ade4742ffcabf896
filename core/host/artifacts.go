package host

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
)

// unwanted is how long a shipped file stays that no job names: its job may be
// about to be submitted.
const unwanted = 24 * time.Hour

// artifacts is the files that were shipped with jobs, by their SHA-256.
type artifacts struct {
	dir string

	mu     sync.Mutex
	wanted map[string]time.Time // when somebody asked last, in this life of the host
}

func newArtifacts(dir string) *artifacts {
	return &artifacts{dir: dir, wanted: map[string]time.Time{}}
}

func (a *artifacts) path(sum string) string { return filepath.Join(a.dir, sum) }

// has reports whether a file is here. Who asks means to use it, so it stays for
// a day.
func (a *artifacts) has(sum string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := os.Stat(a.path(sum)); err != nil {
		return false
	}
	a.wanted[sum] = now()
	return true
}

// put takes the file at name, which is complete, as that of sum.
func (a *artifacts) put(name, sum string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wanted[sum] = now()
	return os.Rename(name, a.path(sum))
}

// sweep removes the files that no job names and that nobody has put or asked
// for since before. It answers how many.
func (a *artifacts) sweep(named map[string]bool, before time.Time) (int, error) {
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		return 0, err
	}
	n, errs := 0, []error(nil)
	for _, e := range entries {
		if named[e.Name()] {
			continue
		}
		removed, err := a.drop(e, before)
		if removed {
			n++
		}
		errs = append(errs, err)
	}
	return n, errors.Join(errs...)
}

func (a *artifacts) drop(e fs.DirEntry, before time.Time) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	info, err := e.Info()
	if err != nil || info.ModTime().After(before) || a.wanted[e.Name()].After(before) {
		return false, nil
	}
	delete(a.wanted, e.Name())
	err = os.Remove(a.path(e.Name()))
	return err == nil, err
}

// inBody finds shipped files in a spec's body: see core.Description.Ships.
var inBody = regexp.MustCompile(`"artifact:([0-9a-f]{64})/`)

// namedBy adds the files that a job names, in its plan or in its spec, from
// which it may be planned again.
func namedBy(named map[string]bool, plan core.Plan, body json.RawMessage) {
	for _, g := range plan.Gangs {
		named[g.Program] = true
		for _, f := range g.Files {
			named[f.SHA256] = true
		}
	}
	for _, m := range inBody.FindAllSubmatch(body, -1) {
		named[string(m[1])] = true
	}
}
