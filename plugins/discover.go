package plugins

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/capstan-run/capstan/core"
)

// Discover looks through the plugin folder, pins what it sees for the first
// time (law P5), and asks every plugin that is ready what it serves. What is
// wrong with one plugin is shown by List; the error is about the folder only.
// Calling it again picks up what was added, replaced or removed.
func (s *Supervisor) Discover(ctx context.Context) error {
	names, err := s.folder()
	if err != nil {
		return err
	}
	s.mu.Lock()
	var gone []*plugin
	keep := s.plugins[:0:0]
	for _, p := range s.plugins {
		if p.binary.builtIn || slices.Contains(names, p.name) {
			keep = append(keep, p)
		} else {
			gone = append(gone, p)
		}
	}
	s.plugins = keep
	s.addLocked(names)
	asked := slices.Clone(s.plugins)
	s.mu.Unlock()
	for _, p := range gone {
		p.close()
	}
	s.examineAll(ctx, asked)
	return nil
}

// Notice is Discover for what was added to the folder since: it looks at nothing
// that is known, and so costs little where nothing was.
func (s *Supervisor) Notice(ctx context.Context) error {
	names, err := s.folder()
	if err != nil {
		return err
	}
	s.mu.Lock()
	added := s.addLocked(names)
	s.mu.Unlock()
	s.examineAll(ctx, added)
	return nil
}

// addLocked adds the plugins of these names that are not known yet, and returns
// those. s.mu is held.
func (s *Supervisor) addLocked(names []string) []*plugin {
	var added []*plugin
	for _, name := range names {
		if !s.closed && !slices.ContainsFunc(s.plugins, func(p *plugin) bool { return p.name == name }) {
			added = append(added, &plugin{
				name: name, sup: s, state: StateReady, pin: PinUnpinned,
				binary: &binary{path: filepath.Join(s.config.Dir, name), args: []string{"plugin"}},
			})
		}
	}
	s.plugins = append(s.plugins, added...)
	return added
}

func (s *Supervisor) examineAll(ctx context.Context, all []*plugin) {
	var wg sync.WaitGroup
	for _, p := range all {
		wg.Go(func() { s.examine(ctx, p) })
	}
	wg.Wait()
}

// folder lists the executable files of the plugin folder, by name.
func (s *Supervisor) folder() ([]string, error) {
	if s.config.Dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(s.config.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &core.Error{Kind: core.Internal, What: "read the plugin folder", Where: s.config.Dir, Err: err}
	}
	var names []string
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(s.config.Dir, e.Name()))
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// examine checks a plugin's pin and, if it may run and has not said yet, asks
// what it serves.
func (s *Supervisor) examine(ctx context.Context, p *plugin) {
	first := !p.binary.builtIn && s.checkPin(p)
	p.mu.Lock()
	ask := (p.state == StateReady && len(p.kinds) == 0) || p.state == StateBroken
	p.mu.Unlock()
	if !ask {
		return
	}
	err := p.describe(ctx)
	if err == nil {
		err = s.pins.remember(p.name, p.serves())
	}
	if err != nil && first {
		// Perhaps it is not all there yet: the pin of half a file would refuse it later.
		err = errors.Join(err, s.pins.forget(p.name))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && first {
		p.pin = PinUnpinned
	}
	switch {
	case err == nil:
		p.state, p.message = StateReady, p.note()
	case p.state != StateHeld:
		p.state, p.message = StateBroken, err.Error()
		s.config.Log.Error("plugin does not say what it serves", "plugin", p.name, "error", err)
	}
}

// note is what List says of a plugin that is well.
func (p *plugin) note() string {
	if v, ok := p.sup.pins.get(p.name); ok && v.How == firstUse && !p.binary.builtIn {
		return "trusted on first use"
	}
	return ""
}

const (
	firstUse = "first use"
	accepted = "accepted"
)

// checkPin holds the binary against its pin, and says whether it has just made
// that.
func (s *Supervisor) checkPin(p *plugin) (first bool) {
	pinned, known := s.pins.get(p.name)
	sum, err := safeDigest(p.binary)
	if err == nil && !known {
		pinned.SHA256 = sum
		if err = s.pins.trust(p.name, sum, firstUse); err == nil {
			first = true
			s.config.Log.Warn("plugin trusted on first use", "plugin", p.name, "sha256", sum)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil:
		p.state, p.pin, p.message = StateRefused, PinUnpinned, err.Error()
	case sum != pinned.SHA256:
		p.state, p.pin, p.message = StateRefused, PinMismatch, mismatch(p.binary.path, pinned.SHA256, sum).What
		s.config.Log.Error("plugin refused", "plugin", p.name, "reason", p.message)
	default:
		p.binary.pin(sum)
		p.pin = PinPinned
		if p.state == StateRefused {
			p.state, p.message = StateReady, p.note()
		}
	}
	return first
}

// safeDigest hashes the binary, unless anybody may write it or its folder.
func safeDigest(b *binary) (string, error) {
	for _, path := range []string{b.path, filepath.Dir(b.path)} {
		info, err := os.Stat(path)
		if err != nil {
			return "", err
		}
		if info.Mode()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
			return "", fmt.Errorf("%s can be written by everybody; take that away: chmod o-w %s", path, path)
		}
	}
	f, sum, err := b.open()
	if err != nil {
		return "", err
	}
	return sum, f.Close()
}

// Verify looks at one plugin again: its hash, and what it serves. A held one
// goes on if it answers. accept pins a binary that changed.
func (s *Supervisor) Verify(ctx context.Context, name string, accept bool) (Info, error) {
	i := slices.IndexFunc(s.snapshot(), func(p *plugin) bool { return p.name == name })
	if i < 0 {
		return Info{}, core.Errorf(core.NotFound, "there is no plugin %s", name).Do("capstan plugin list shows the plugins")
	}
	p := s.snapshot()[i]
	if accept && !p.binary.builtIn {
		sum, err := safeDigest(p.binary)
		if err == nil {
			err = s.pins.trust(name, sum, accepted)
		}
		if err != nil {
			return p.info(), core.AsError(err)
		}
	}
	p.reset()
	s.examine(ctx, p)
	info := p.info()
	if info.State != StateReady {
		return info, core.Errorf(core.Denied, "plugin %s is %s: %s", name, info.State, info.Message)
	}
	return info, nil
}

// reset forgets the crashes and the processes, so that the next call starts anew.
func (p *plugin) reset() {
	p.starting.Lock()
	defer p.starting.Unlock()
	p.mu.Lock()
	shared, spare := p.shared, p.spare
	p.shared, p.spare, p.crashes = nil, nil, nil
	if p.state == StateHeld || p.state == StateBroken {
		p.state, p.message = StateReady, ""
	}
	if !p.binary.builtIn {
		p.kinds = nil // what it served is remembered
	}
	p.mu.Unlock()
	for _, proc := range []*process{shared, spare} {
		if proc != nil {
			proc.kill()
		}
	}
}
