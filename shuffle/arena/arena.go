package arena

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Arena keeps segments in a directory, in shared memory or on disk. It may be
// used from any goroutine. One process owns an arena; others read what it
// published.
type Arena struct {
	dir     string
	shared  bool // dir is shared memory
	maxIdle int64

	mu    sync.Mutex
	named map[string]*Segment
	idle  []*Segment
	kept  int64
}

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

// Segment is a file of the arena, mapped. It is used by one goroutine until it
// is published, and by none afterwards.
type Segment struct {
	arena  *Arena
	file   *os.File
	mem    []byte // the whole mapping
	n      int
	size   int64  // of the file
	hidden string // its path while it is not published
	path   string
}

// Get returns a segment of n > 0 bytes, whose content is undefined. The caller
// ends with Publish or Discard.
func (a *Arena) Get(n int) (*Segment, error) {
	s := a.take(n)
	if s == nil {
		var err error
		if s, err = a.create(); err != nil {
			return nil, err
		}
	}
	if err := s.resize(n); err != nil {
		s.destroy()
		return nil, err
	}
	return s, nil
}

// take returns the idle segment whose size is nearest to n, larger ones first.
func (a *Arena) take(n int) *Segment {
	a.mu.Lock()
	defer a.mu.Unlock()
	best := -1
	for i, s := range a.idle {
		if best < 0 || closer(len(s.mem), len(a.idle[best].mem), n) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	s := a.idle[best]
	a.idle[best] = a.idle[len(a.idle)-1]
	a.idle = a.idle[:len(a.idle)-1]
	a.kept -= int64(len(s.mem))
	return s
}

// closer reports whether size x suits n better than y.
func closer(x, y, n int) bool {
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

// resize makes the file n bytes long and the mapping at least as long. The
// pages are taken now, so that a full disk is an error here and not a fault in
// the middle of a write.
func (s *Segment) resize(n int) error {
	if n > len(s.mem) {
		if err := s.remap(n); err != nil {
			return err
		}
	}
	if int64(n) > s.size {
		if err := s.grow(n); err != nil {
			return fmt.Errorf("grow arena segment to %d bytes: %w", n, err)
		}
		s.size = int64(n)
	}
	s.n = n
	return nil
}

// remap maps the file with room for n bytes.
func (s *Segment) remap(n int) error {
	if s.mem != nil {
		unmap(s.mem)
		s.mem = nil
	}
	size := (n + huge - 1) &^ (huge - 1)
	mem, err := unix.Mmap(int(s.file.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map arena segment: %w", err)
	}
	s.mem = mem
	_ = unix.Madvise(mem, unix.MADV_HUGEPAGE) // where the file system has them
	return nil
}

// grow takes the file's blocks and pages up to n. Shared memory gets its pages
// by the mapping, which is the way to huge ones: fallocate takes small ones.
func (s *Segment) grow(n int) error {
	if s.arena.shared {
		if err := s.file.Truncate(int64(n)); err != nil {
			return err
		}
		err := unix.Madvise(s.mem[:n], unix.MADV_POPULATE_WRITE)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EFAULT): // a write would be a fault: there are no pages left
			return unix.ENOSPC
		case !errors.Is(err, unix.EINVAL): // an older kernel cannot
			return fmt.Errorf("take the pages: %w", err)
		}
	}
	if err := allocate(s.file, int64(n)); err != nil {
		return err
	}
	_ = unix.Madvise(s.mem[:n], unix.MADV_POPULATE_WRITE) // else page by page, when written
	return nil
}

// allocate reserves the first n bytes of f.
func allocate(f *os.File, n int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, n)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EOPNOTSUPP):
			return f.Truncate(n)
		}
		return err
	}
}

// Bytes returns the segment's memory, aligned to a page.
func (s *Segment) Bytes() []byte { return s.mem[:s.n:s.n] }

// Publish gives the first size bytes the name name in the arena's directory,
// replacing what had it. The segment is the arena's again.
func (s *Segment) Publish(name string, size int) error {
	if name == "" || name != filepath.Base(name) {
		return fmt.Errorf("publish arena segment: %q is not a file name", name)
	}
	if size > s.n {
		return fmt.Errorf("publish %d bytes of an arena segment of %d", size, s.n)
	}
	if err := s.file.Truncate(int64(size)); err != nil {
		return fmt.Errorf("publish arena segment %s: %w", name, err)
	}
	s.size = int64(size)
	a, path := s.arena, filepath.Join(s.arena.dir, name)
	if err := a.unname(name); err != nil {
		return err
	}
	if err := lock(int(s.file.Fd()), unix.F_UNLCK); err != nil {
		return fmt.Errorf("unlock arena segment %s: %w", name, err)
	}
	if err := os.Rename(s.path, path); err != nil {
		return fmt.Errorf("publish arena segment %s: %w", name, err)
	}
	s.path = path
	a.mu.Lock()
	a.named[name] = s
	a.mu.Unlock()
	return nil
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

// Discard gives the segment back unpublished.
func (s *Segment) Discard() error {
	a := s.arena
	a.mu.Lock()
	if a.kept+int64(len(s.mem)) <= a.maxIdle {
		a.idle = append(a.idle, s)
		a.kept += int64(len(s.mem))
		a.mu.Unlock()
		return nil
	}
	a.mu.Unlock()
	return s.destroy()
}

func (s *Segment) destroy() error {
	if s.mem != nil {
		unmap(s.mem)
		s.mem = nil
	}
	err := s.file.Close()
	if e := os.Remove(s.path); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
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
		unmap(s.mem)
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
