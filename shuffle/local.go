package shuffle

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sys/unix"
)

// mapFrom is the length from which a partition is mapped: below, the page
// faults and the two system calls of a mapping cost more than a copy.
const mapFrom = 64 << 10

// openLocal returns part's bytes from the file idx.Name in dir.
func (s *Source) openLocal(dir string, idx *Index, part *Partition) (*memory.Buffer, error) {
	if idx.Name == "" || idx.Name != filepath.Base(idx.Name) {
		return nil, fmt.Errorf("%q is not a file name", idx.Name)
	}
	f, err := os.OpenInRoot(dir, idx.Name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() != idx.Size {
		return nil, fmt.Errorf("%w: file of %d bytes, index says %d", ErrCorrupt, fi.Size(), idx.Size)
	}
	if part.Length < mapFrom {
		return s.readFile(f, part)
	}
	return mapFile(f, part)
}

func (s *Source) readFile(f *os.File, part *Partition) (*memory.Buffer, error) {
	b := s.pool.get(int(part.Length))
	if _, err := io.ReadFull(io.NewSectionReader(f, part.Offset, part.Length), b); err != nil {
		s.pool.Free(b)
		return nil, err
	}
	return memory.NewBufferWithAllocator(b, &s.pool), nil
}

// mapFile maps part read-only. The mapping ends with the buffer's last
// release; the file may be removed before.
func mapFile(f *os.File, part *Partition) (*memory.Buffer, error) {
	skip := part.Offset % int64(os.Getpagesize())
	m, err := unix.Mmap(int(f.Fd()), part.Offset-skip, int(skip+part.Length), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	// The checksum reads it once from end to end, then the caller.
	_ = unix.Madvise(m, unix.MADV_WILLNEED)
	return memory.NewBufferWithAllocator(m[skip:], mapping(m)), nil
}

// mapping is the arrow allocator of one mapped buffer: freeing it unmaps.
type mapping []byte

func (m mapping) Free([]byte) {
	if err := unix.Munmap(m); err != nil {
		panic("shuffle: unmap an exchange file: " + err.Error())
	}
}

func (m mapping) Allocate(int) []byte           { panic("shuffle: a mapping does not allocate") }
func (m mapping) Reallocate(int, []byte) []byte { panic("shuffle: a mapping does not grow") }
