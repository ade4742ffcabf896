package arena

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Arena keeps segments in a directory, in shared memory or on disk. It may be
// used from any goroutine. One process owns an arena; others read what it
// published.
type Arena struct {
	// Bound, if not 0, is how many bytes the arena's files may have in all: idle
	// ones make room for what is asked for (law A6). Set it before the first Get.
	Bound int64

	dir     string
	shared  bool // dir is shared memory
	maxIdle int64

	mu    sync.Mutex
	named map[string]*Segment
	idle  []*Segment
	kept  int64
	used  int64 // bytes of all files
}

// ErrFull is in the chain of what is returned where an arena has no room: its
// Bound is reached, or its file system is full.
var ErrFull = errors.New("the arena is full")

// Open returns an arena in dir, which must exist. maxIdle bounds the bytes of
// segments kept for reuse: 0 is DefaultIdle, less than 0 none.
func Open(dir string, maxIdle int64) (*Arena, error) {
	fi, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open arena: %w", err)
	}
	if !fi.IsDir() {
		return nil, fmt.Errorf("open arena: %s is not a directory", dir)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return nil, fmt.Errorf("open arena: ask for the file system of %s: %w", dir, err)
	}
	if maxIdle == 0 {
		maxIdle = DefaultIdle
	}
	return &Arena{dir: dir, shared: fs.Type == unix.TMPFS_MAGIC, maxIdle: maxIdle, named: map[string]*Segment{}}, nil
}

// Get returns a segment of n > 0 bytes, whose content is undefined. The caller
// ends with Publish or Discard. [ErrFull] says that it does not fit.
func (a *Arena) Get(n int) (*Segment, error) {
	s := a.take(n)
	if s == nil {
		var err error
		if s, err = a.create(); err != nil {
			return nil, err
		}
	}
	return s.ofSize(n)
}

// Reuse is Get, of memory that was used before: nil if none is idle. Fresh
// memory costs less when it is written to than when it is mapped.
func (a *Arena) Reuse(n int) (*Segment, error) {
	if s := a.take(n); s != nil {
		return s.ofSize(n)
	}
	return nil, nil
}

// Begin returns an empty segment that Write makes longer. It is not mapped: it
// has no Bytes. The caller ends with Publish or Discard.
func (a *Arena) Begin() (*Segment, error) { return a.create() }

// charge takes room for n more bytes of files.
func (a *Arena) charge(n int64) error {
	for {
		idle, err := a.tryCharge(n)
		if idle == nil {
			return err
		}
		if err := idle.destroy(); err != nil {
			return err
		}
	}
}

// tryCharge answers an idle segment if n bytes fit once that is gone.
func (a *Arena) tryCharge(n int64) (*Segment, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.Bound == 0 || a.used+n <= a.Bound {
		a.used += n
		return nil, nil
	}
	last := len(a.idle) - 1
	if last < 0 {
		return nil, fmt.Errorf("%w: it has %d bytes of %d, and %d more were asked for", ErrFull, a.used, a.Bound, n)
	}
	s := a.idle[last]
	a.idle = a.idle[:last]
	a.kept -= s.size
	return s, nil
}

// credit gives room back.
func (a *Arena) credit(n int64) {
	a.mu.Lock()
	a.used -= n
	a.mu.Unlock()
}

// take returns the idle segment whose size is nearest to n, larger ones first.
func (a *Arena) take(n int) *Segment {
	a.mu.Lock()
	defer a.mu.Unlock()
	best := -1
	for i, s := range a.idle {
		if best < 0 || closer(s.size, a.idle[best].size, int64(n)) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	s := a.idle[best]
	a.idle[best] = a.idle[len(a.idle)-1]
	a.idle = a.idle[:len(a.idle)-1]
	a.kept -= s.size
	return s
}

// closer reports whether size x suits n better than y.
func closer(x, y, n int64) bool {
	if (x >= n) != (y >= n) {
		return x >= n
	}
	return (x < y) == (x >= n)
}

func (a *Arena) create() (*Segment, error) {
	// A random name: executors share the directory, and in containers of their
	// own they may all have the same process number.
	file, err := os.CreateTemp(a.dir, ".segment-*")
	if err != nil {
		return nil, fmt.Errorf("create arena segment: %w", err)
	}
	s := &Segment{arena: a, file: file, hidden: file.Name(), path: file.Name()}
	err = file.Chmod(0o640)
	if err == nil {
		err = lock(int(file.Fd()), unix.F_WRLCK)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create arena segment: %w", err), s.destroy())
	}
	return s, nil
}

// unname recycles what the arena has published as name, if anything.
func (a *Arena) unname(name string) error {
	err := a.Recycle(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Recycle takes the name from a published segment and its memory back, unless
// a reader holds it (law A3). A name that the arena did not publish is
// [os.ErrNotExist].
func (a *Arena) Recycle(name string) error {
	a.mu.Lock()
	s := a.named[name]
	delete(a.named, name)
	a.mu.Unlock()
	if s == nil {
		return fmt.Errorf("recycle arena segment %s: %w", name, os.ErrNotExist)
	}
	if lock(int(s.file.Fd()), unix.F_WRLCK) != nil {
		return s.destroy() // somebody reads it
	}
	if err := os.Rename(s.path, s.hidden); err != nil {
		return errors.Join(fmt.Errorf("recycle arena segment %s: %w", name, err), s.destroy())
	}
	s.path = s.hidden
	return s.Discard()
}

// Close removes the idle segments and lets go of the published ones, which
// stay (law A5).
func (a *Arena) Close() error {
	a.mu.Lock()
	idle, named := a.idle, a.named
	a.idle, a.kept, a.named = nil, 0, map[string]*Segment{}
	a.mu.Unlock()
	var errs []error
	for _, s := range idle {
		errs = append(errs, s.destroy())
	}
	for _, s := range named {
		if s.mem != nil {
			unmap(s.mem)
		}
		errs = append(errs, s.file.Close())
	}
	return errors.Join(errs...)
}

// Lock takes a reader's lock on the open file: while the description is open,
// no arena changes its bytes (law A3). It never waits; an error means that the
// arena has taken the file back, or that it cannot be locked.
func Lock(fd int) error { return lock(fd, unix.F_RDLCK) }

func lock(fd int, kind int16) error {
	l := unix.Flock_t{Type: kind, Whence: int16(os.SEEK_SET)}
	for {
		err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &l)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
