package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/capstan-run/capstan/core"
)

// Lock is the right to be the one host of a journal (law J4): a sibling file of
// it that is held flocked. It contains the holder's pid; a clean end leaves it
// empty.
type Lock struct {
	path string // of the journal
	file *os.File
	// unclean says that the last holder left its pid behind: the check of law
	// J6 is owed.
	unclean bool

	mu       sync.Mutex
	opened   bool // the journal gives it back
	released bool
}

// Acquire takes the lock of the journal in the file path, whose directory
// exists. The error is a *core.Error: of kind Conflict, with the holder's pid,
// if another host has it.
func Acquire(path string) (*Lock, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, translate(path, "lock the journal", err)
	}
	l, err := acquire(path + ".lock")
	if err != nil {
		return nil, translate(path, "lock the journal", err)
	}
	l.path = path
	return l, nil
}

// Release gives a lock back under which no journal was opened; otherwise the
// journal's Close does, and this does nothing. It may be called again.
func (l *Lock) Release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.opened {
		return nil
	}
	return l.releaseLocked(!l.unclean)
}

func acquire(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder := pid(f)
		f.Close()
		end := "end it"
		if holder != unknown {
			end += " (kill " + holder + ")"
		}
		return nil, core.Errorf(core.Conflict, "another host (pid %s) uses this state directory", holder).At(path).
			Do("talk to that host, or " + end + ", or choose another state directory with --state")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	l := &Lock{file: f, unclean: pid(f) != unknown}
	if err := l.write(fmt.Sprintf("%d\n", os.Getpid())); err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

// unknown stands for the pid of a holder that left none.
const unknown = "unknown"

// pid reads the holder's pid.
func pid(f *os.File) string {
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if s := strings.TrimSpace(string(b)); s != "" {
		return s
	}
	return unknown
}

func (l *Lock) write(s string) error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(s), 0)
	return err
}

// release gives the lock back; clean says that the journal was closed well.
func (l *Lock) release(clean bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.releaseLocked(clean)
}

func (l *Lock) releaseLocked(clean bool) error {
	if l.released {
		return nil
	}
	l.released = true
	var err error
	if clean {
		err = l.write("")
	}
	// The file stays: removing it would let two hosts lock two files of one name.
	return errors.Join(err, l.file.Close())
}
