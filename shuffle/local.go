package shuffle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/shuffle/arena"
)

const (
	// mapFrom is the length from which a range is mapped: below, the page
	// faults and the system calls of a mapping cost more than a copy into
	// memory that was used before (measured: 32 against 22 ns per 100 bytes at
	// 350 KB).
	mapFrom = 1 << 20
	// localWindow is how much of a smaller range one read takes: what it
	// brings into the cache should be there when it is verified.
	localWindow = 512 << 10
)

// readLocal reads windows from the file idx.Name in dir: where they are large
// together, as parts of one mapping.
func (s *Source) readLocal(ctx context.Context, g *grant, dir string, idx *Index, ws []window) {
	fd, err := openObject(dir, idx)
	if err == nil {
		err = readOpen(ctx, g, fd, ws)
		unix.Close(fd)
	}
	for i := range ws {
		if x := &ws[i]; x.buf == nil && x.err == nil {
			x.err = err
		}
	}
}

// readOpen reads windows of an open file. An error is of all that have neither
// bytes nor an error of their own.
func readOpen(ctx context.Context, g *grant, fd int, ws []window) error {
	off, last := ws[0].off, ws[len(ws)-1]
	if n := last.off + last.length - off; n >= mapFrom {
		return mapWindows(fd, ws, off, n)
	}
	if err := g.take(ctx); err != nil {
		return err
	}
	for i := range ws {
		ws[i].buf, ws[i].err = readWindow(g, fd, &ws[i])
	}
	return nil
}

// mapWindows makes windows out of one mapping of n bytes from off on.
func mapWindows(fd int, ws []window, off, n int64) error {
	// Advice: the disk brings all of it while the first is verified.
	_ = unix.Fadvise(fd, off, n, unix.FADV_WILLNEED)
	m, err := mapFile(fd, off, n)
	if err != nil {
		return err
	}
	defer m.Release()
	for i := range ws {
		ws[i].buf, ws[i].mapped = sliceOf(m, int(ws[i].off-off), int(ws[i].length)), true
	}
	return nil
}

// openObject opens the file idx.Name in dir, which must be as long as idx says.
func openObject(dir string, idx *Index) (int, error) {
	if idx.Name == "" || idx.Name != filepath.Base(idx.Name) {
		return 0, fmt.Errorf("%q is not a file name", idx.Name)
	}
	path := filepath.Join(dir, idx.Name)
	fd, err := openFile(path)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && (st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != idx.Size) {
		err = fmt.Errorf("%w: file of %d bytes, index says %d", ErrCorrupt, st.Size, idx.Size)
	}
	if err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	return fd, nil
}

// openFile opens a file that must not be a link. It does without the Go
// runtime's poller and finalizer, which cost as much as reading a small
// partition.
func openFile(path string) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// readWindow reads x into pooled memory.
func readWindow(g *grant, fd int, x *window) (*memory.Buffer, error) {
	b := g.Allocate(int(x.length))
	if err := readFull(fd, b, x.off); err != nil {
		g.Free(b)
		return nil, err
	}
	return memory.NewBufferWithAllocator(b, g), nil
}

// readFull fills b from off on.
func readFull(fd int, b []byte, off int64) error {
	for len(b) > 0 {
		n, err := unix.Pread(fd, b, off)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF
		}
		b, off = b[n:], off+int64(n)
	}
	return nil
}

// mapFile maps n bytes from off on, read-only. The mapping ends with the
// buffer's last release; the file may be closed and removed before. Until then
// an arena does not change it.
func mapFile(fd int, off, n int64) (*memory.Buffer, error) {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("keep the file open: %w", err)
	}
	m, skip, err := mapLocked(own, off, n)
	if err != nil {
		unix.Close(own)
		return nil, err
	}
	return memory.NewBufferWithAllocator(m[skip:], mapping{m, own}), nil
}

// mapLocked maps whole pages, the first of which begin skip bytes before off.
// The lock is of the file as it was opened, so it lasts until the last of the
// descriptors of it is closed.
func mapLocked(fd int, off, n int64) (m []byte, skip int64, err error) {
	if err := arena.Lock(fd); err != nil {
		return nil, 0, fmt.Errorf("lock: %w", err)
	}
	skip = off % int64(os.Getpagesize())
	m, err = unix.Mmap(fd, off-skip, int(skip+n), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, 0, fmt.Errorf("map: %w", err)
	}
	return m, skip, nil
}

// mapping is the arrow allocator of one mapped buffer: freeing it unmaps, and
// closes the file, which ends the lock.
type mapping struct {
	mem []byte
	fd  int
}

func (m mapping) Free([]byte) {
	if err := unix.Munmap(m.mem); err != nil {
		panic("shuffle: unmap an exchange file: " + err.Error())
	}
	unix.Close(m.fd)
}

func (m mapping) Allocate(int) []byte           { panic("shuffle: a mapping does not allocate") }
func (m mapping) Reallocate(int, []byte) []byte { panic("shuffle: a mapping does not grow") }
