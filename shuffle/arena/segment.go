package arena

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

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

// ofSize is s with n bytes. After an error s is gone.
func (s *Segment) ofSize(n int) (*Segment, error) {
	if err := s.resize(n); err != nil {
		return nil, errors.Join(err, s.destroy())
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
		if err := s.arena.charge(int64(n) - s.size); err != nil {
			return err
		}
		was := s.size
		s.size = int64(n) // charged, so destroy gives it back
		if err := s.grow(n); err != nil {
			return fmt.Errorf("grow arena segment from %d to %d bytes: %w", was, n, full(err))
		}
	}
	s.n = n
	return nil
}

// full says of an error of a full file system that it is one of the arena.
func full(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// Write appends b to a segment of [Arena.Begin]. After an error the segment has
// what it had before.
func (s *Segment) Write(b []byte) (int, error) {
	n := int64(len(b))
	if err := s.arena.charge(n); err != nil {
		return 0, err
	}
	if _, err := s.file.WriteAt(b, s.size); err != nil {
		s.arena.credit(n)
		return 0, fmt.Errorf("write arena segment: %w", errors.Join(full(err), s.file.Truncate(s.size)))
	}
	s.size += n
	return len(b), nil
}

// WriteTo writes to w what was written to the segment.
func (s *Segment) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, io.NewSectionReader(s.file, 0, s.size))
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
	if has := min(int64(n), s.size); has > 0 {
		_ = unix.Madvise(mem[:has], unix.MADV_POPULATE_WRITE) // else page by page, when written
	}
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
	if int64(size) > s.size {
		return fmt.Errorf("publish %d bytes of an arena segment of %d", size, s.size)
	}
	if err := s.file.Truncate(int64(size)); err != nil {
		return fmt.Errorf("publish arena segment %s: %w", name, err)
	}
	s.arena.credit(s.size - int64(size))
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

// Discard gives the segment back unpublished.
func (s *Segment) Discard() error {
	a := s.arena
	a.mu.Lock()
	if a.kept+s.size <= a.maxIdle {
		a.idle = append(a.idle, s)
		a.kept += s.size
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
	s.arena.credit(s.size)
	err := s.file.Close()
	if e := os.Remove(s.path); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}
