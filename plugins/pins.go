package plugins

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"github.com/capstan-run/capstan/core"
)

// pins is the file of trusted hashes: name → pin, as JSON, mode 0600.
type pins struct {
	path string
	mu   sync.Mutex
	all  map[string]pin
}

// pin is a hash and how it came to be trusted.
type pin struct {
	SHA256 string `json:"sha256"`
	How    string `json:"how"` // "first use", "accepted"
	// Kinds is what the plugin said that it serves when it last ran, so that
	// one which may not run any more is still known by them (law P8).
	Kinds []core.Description `json:"kinds,omitempty"`
}

func loadPins(path string) (*pins, error) {
	p := &pins{path: path, all: map[string]pin{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &p.all)
	}
	if err != nil {
		return nil, &core.Error{
			Kind: core.Internal, What: "read the plugin pins", Where: path, Err: err,
			Remedy: "mend the file, or remove it to pin every plugin anew",
		}
	}
	return p, nil
}

func (p *pins) get(name string) (pin, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := p.all[name]
	return v, ok
}

// trust pins a hash; what the plugin served before is kept until it says anew.
func (p *pins) trust(name, sum, how string) error {
	return p.change(name, func(v *pin) { v.SHA256, v.How = sum, how })
}

// remember notes what a pinned plugin serves.
func (p *pins) remember(name string, kinds []core.Description) error {
	v, ok := p.get(name)
	if !ok || same(v.Kinds, kinds) {
		return nil
	}
	return p.change(name, func(v *pin) { v.Kinds = kinds })
}

// same reports whether a and b mean the same; the file may have other blanks in
// a schema than the plugin.
func same(a, b []core.Description) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// forget takes back a pin.
func (p *pins) forget(name string) error {
	return p.rewrite(func(all map[string]pin) { delete(all, name) }, name)
}

func (p *pins) change(name string, f func(*pin)) error {
	return p.rewrite(func(all map[string]pin) {
		v := all[name]
		f(&v)
		all[name] = v
	}, name)
}

// rewrite is durable: the new file is complete before it takes the old one's place.
func (p *pins) rewrite(f func(map[string]pin), name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := maps.Clone(p.all)
	f(next)
	if err := writePins(p.path, next); err != nil {
		return &core.Error{Kind: core.Internal, What: "pin plugin " + name, Where: p.path, Err: err}
	}
	p.all = next
	return nil
}

func writePins(path string, all map[string]pin) error {
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".pins-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(append(data, '\n'))
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	// A pin that a power cut takes back would trust any binary anew.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func mismatch(path, pinned, sum string) *core.Error {
	return core.Errorf(core.Denied, "plugin %s changed since it was pinned: its SHA-256 is %.12s…, pinned is %.12s…",
		filepath.Base(path), sum, pinned).At(path).
		Do(fmt.Sprintf("if you replaced it, run: capstan plugin verify --accept %s", filepath.Base(path)))
}
