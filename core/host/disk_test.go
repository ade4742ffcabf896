package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/journal"
)

// smallDisk is a directory on a file system of four megabytes, of which ballast
// holds one; ok is false where none can be made.
func smallDisk(t *testing.T) (dir, ballast string, ok bool) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Logf("cannot mount a small file system: %v", err)
		return "", "", false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast = filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, ballast, true
}

// fill writes the disk full.
func (s *stage) fill() {
	for _, size := range []int{64 << 10, 1 << 10, 1} {
		for err := error(nil); !errors.Is(err, journal.ErrFull); {
			err = s.h.journal.Commit(s.t.Context(), journal.Tx{Records: []journal.Record{{Time: now(), Kind: "ballast", Text: strings.Repeat("x", size)}}})
		}
	}
}

// A full disk refuses submits, and holds up what runs until there is room.
func TestFullDisk(t *testing.T) {
	dir, ballast, ok := smallDisk(t)
	if !ok {
		return
	}
	s := newStageAt(t, dir)
	defer s.close() // before the unmount
	id := s.submit(1, 0)
	s.join(id, false, s.started()...)
	s.until(id, "the gang", func(core.Job) bool { return s.count(id, "gang-up") == 1 })
	s.fill()
	doc := []byte("apiVersion: capstan/v1\nkind: Play\nmetadata: {name: late}\ngang: {size: 1, cpu: 1, memory: 1Mi}\nspec: {}\n")
	if _, _, _, err := s.h.Submit(t.Context(), doc, "late", "test"); !errors.Is(err, journal.ErrFull) {
		t.Errorf("submit: got %v", err)
	}
	if _, _, err := s.h.Lookup("late"); core.KindOf(err) != core.NotFound {
		t.Errorf("a refused job is there: %v", err)
	}
	c := s.scene()
	c.end <- fmt.Errorf("oh: %w", core.ErrPluginCrash)
	s.until(id, "what it waits for", heldUp)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.scene().end <- nil // the next generation
	if j := s.until(id, "the end", ended); j.State != core.Succeeded || heldUp(j) {
		t.Errorf("got %s, %+v", j.State, j)
	}
	s.nothingLeft()
}

// heldUp reports whether a job says what it waits for, where, and what to do.
func heldUp(j core.Job) bool {
	for _, part := range []string{"held up", "journal.db", "free some space"} {
		if !strings.Contains(j.Progress.Note, part) {
			return false
		}
	}
	return true
}

// A gang whose grant cannot be written down says so at once, and starts when
// there is room.
func TestFullDiskAtGrant(t *testing.T) {
	dir, ballast, ok := smallDisk(t)
	if !ok {
		return
	}
	s := newStageAt(t, dir)
	defer s.close()
	s.s.set(func() { s.s.onDoor = sync.OnceFunc(s.fill) })
	id := s.submit(1, 0)
	s.until(id, "what it waits for", heldUp)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.started()
	s.scene().end <- nil
	if j := s.until(id, "the end", ended); j.State != core.Succeeded || j.Progress.Note != "" {
		t.Errorf("got %s, %+v", j.State, j)
	}
	s.nothingLeft()
}

// A launcher without room on its disk fails the job at once, with what to do:
// another try on the same disk would end the same way.
func TestFullDiskOfLauncher(t *testing.T) {
	for _, cause := range []error{
		fmt.Errorf("write: %w", syscall.ENOSPC),
		errors.New("Error response from daemon: mkdir /var/lib/docker/overlay2/x: no space left on device"),
	} {
		s := newStage(t)
		s.l.hook(func(context.Context) error {
			return &core.Error{Kind: core.Internal, What: "the engine did not create", Where: "executor x on node here", Remedy: "free space", Err: cause}
		})
		id := s.submit(2, 0)
		j := s.until(id, "the end", ended)
		if j.State != core.FailedJob || j.Outcome.Where != "executor x on node here" || j.Outcome.Remedy != "free space" {
			t.Errorf("got %s, %+v", j.State, j.Outcome)
		}
		s.nothingLeft()
		if n := s.count(id, "granted"); n != 1 {
			t.Errorf("it was tried %d times", n)
		}
	}
}

// A gang's directory that cannot be made is an error with a place and a remedy.
func TestFullDiskOfGangs(t *testing.T) {
	err := fileError("make the gang's directory", "/state/gangs/x", &os.PathError{Op: "mkdir", Path: "/state/gangs/x", Err: syscall.ENOSPC})
	if err.Where != "/state/gangs/x" || !strings.Contains(err.Remedy, "free space") || !diskFull(err) {
		t.Errorf("got %+v", err)
	}
}
