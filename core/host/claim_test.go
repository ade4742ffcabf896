package host

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/unixsock"
)

// A state directory is one host's. Who can wait does so until that one answers,
// or is gone.
func TestClaim(t *testing.T) {
	dir := t.TempDir()
	first, err := Claim(t.Context(), dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Claim(t.Context(), dir, 0); core.KindOf(err) != core.Conflict {
		t.Errorf("a second claim: %v", err)
	}
	type answer struct {
		freed bool
		err   error
	}
	answers := make(chan answer, 1)
	claim := func() {
		l, err := Claim(t.Context(), dir, time.Hour)
		if l != nil {
			l.Release()
		}
		answers <- answer{l != nil, err}
	}
	go claim()
	l, err := unixsock.Listen(filepath.Join(dir, "host.sock"))
	if err != nil {
		t.Fatal(err)
	}
	if a := receive1(t, answers, "an answer"); core.KindOf(a.err) != core.Conflict {
		t.Errorf("while the other host answers: %v", a.err)
	}
	l.Close()
	go claim()
	first.Release()
	if a := receive1(t, answers, "an answer"); !a.freed {
		t.Errorf("once the other host is gone: %v", a.err)
	}
}

// A host opened under a claim gives it back.
func TestOpenUnderClaim(t *testing.T) {
	dir := t.TempDir()
	s := newStageAt(t, dir, func(c *Config) {
		var err error
		if c.Claim, err = Claim(context.Background(), dir, 0); err != nil {
			t.Fatal(err)
		}
	})
	id := s.submit(1, 0)
	s.started()
	s.close()
	s.open()
	s.started()
	for c := s.scene(); ; c = s.scene() {
		if c.attempt.Generation == 2 {
			c.end <- nil
			break
		}
	}
	s.until(id, "the end", ended)
	s.nothingLeft()
}

// Hosts that start at once agree on one name.
func TestInstanceOnce(t *testing.T) {
	dir := t.TempDir()
	names := make([]string, 20)
	var wg sync.WaitGroup
	for i := range names {
		wg.Go(func() {
			var err error
			if names[i], err = Instance(dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if slices.Sort(names); len(slices.Compact(names)) != 1 {
		t.Errorf("names %v", names)
	}
}
