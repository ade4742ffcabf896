package shm

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// Region is shared memory mapped into this process.
type Region struct {
	mem []byte
}

// Create makes a region of size bytes, all zero, mapped for reading and
// writing. Pages take memory once they are touched. The file is for the other
// process and the caller's to close.
func Create(name string, size int) (*Region, *os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, nil, fmt.Errorf("create shared memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := f.Truncate(int64(size)); err != nil {
		return nil, nil, closing(f, fmt.Errorf("size shared memory to %d bytes: %w", size, err))
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, nil, closing(f, fmt.Errorf("seal shared memory: %w", err))
	}
	r, err := Open(f, size, true)
	if err != nil {
		return nil, nil, closing(f, err)
	}
	return r, f, nil
}

func closing(f *os.File, err error) error {
	f.Close()
	return err
}

// Open maps the region that f describes, which must have size bytes and the
// seals of Create: a file that could shrink would let another process kill
// this one.
func Open(f *os.File, size int, write bool) (*Region, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if fi.Size() != int64(size) {
		return nil, fmt.Errorf("shared memory has %d bytes, want %d", fi.Size(), size)
	}
	if have, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0); err != nil || have&seals != seals {
		return nil, fmt.Errorf("shared memory is not sealed against shrinking (%v)", err)
	}
	prot := unix.PROT_READ
	if write {
		prot |= unix.PROT_WRITE
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, size, prot, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes of shared memory: %w", size, err)
	}
	if size >= 2<<20 {
		// Where the kernel allows it, faults and misses are 512 times fewer.
		_ = unix.Madvise(mem, unix.MADV_HUGEPAGE)
	}
	return &Region{mem: mem}, nil
}

// Bytes are the region's, good until Close.
func (r *Region) Bytes() []byte { return r.mem }

// Close unmaps the region. Nobody may hold its bytes.
func (r *Region) Close() error { return unix.Munmap(r.mem) }
