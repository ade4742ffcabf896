package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/capstan-run/capstan/core"
)

// lock is a sibling file of the journal that its host holds flocked (law J4).
// It contains the holder's pid; a clean end leaves it empty.
type lock struct {
	file *os.File
	// unclean says that the last holder left its pid behind.
	unclean bool
}

func acquire(path string) (*lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder := pid(f)
		f.Close()
		return nil, core.Errorf(core.Conflict, "another host (pid %s) uses this state directory", holder).At(path).
			Do("talk to that host, stop it, or choose another state directory")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	l := &lock{file: f, unclean: pid(f) != "unknown"}
	if err := l.write(fmt.Sprintf("%d\n", os.Getpid())); err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

// pid reads the holder's pid, "unknown" if there is none.
func pid(f *os.File) string {
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if s := strings.TrimSpace(string(b)); s != "" {
		return s
	}
	return "unknown"
}

func (l *lock) write(s string) error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(s), 0)
	return err
}

// release gives the lock back; clean says that the journal was closed well.
func (l *lock) release(clean bool) error {
	var err error
	if clean {
		err = l.write("")
	}
	// The file stays: removing it would let two hosts lock two files of one name.
	return errors.Join(err, l.file.Close())
}
