package shuffle

import (
	"fmt"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/shuffle/checksum"
)

// liveRun is the message of one partition in one run, whose credit is taken.
type liveRun struct {
	buf    *memory.Buffer // nil: it lies in file, length bytes from off on
	file   string
	off    int64
	length int64
	crc    uint32
	batch  Batch
}

func (r *liveRun) verify(b *memory.Buffer) error {
	if crc := checksum.Of(b.Bytes()); crc != r.crc {
		return fmt.Errorf("%w: run has checksum %08x, was written with %08x", ErrCorrupt, crc, r.crc)
	}
	return nil
}

// load gets the run from its file in dir: mapped where it is large, else read.
// Its credit goes back to l with the buffer's last release.
func (r *liveRun) load(dir string, l *Live) error {
	fd, err := openFile(filepath.Join(dir, r.file))
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size < r.off+r.length {
		return fmt.Errorf("%w: spill file of %d bytes, a run ends at %d", ErrCorrupt, st.Size, r.off+r.length)
	}
	buf, err := r.read(fd, l)
	if err != nil {
		return err
	}
	if err := r.verify(buf); err != nil {
		buf.Release()
		return err
	}
	r.buf = memory.NewBufferWithAllocator(buf.Bytes(), credited{l, held{buf}})
	return nil
}

func (r *liveRun) read(fd int, l *Live) (*memory.Buffer, error) {
	if r.length >= mapFrom {
		return mapFile(fd, r.off, r.length)
	}
	b := l.pool.Get(int(r.length))
	if err := readFull(fd, b, r.off); err != nil {
		l.pool.Free(b)
		return nil, err
	}
	return memory.NewBufferWithAllocator(b, &l.pool), nil
}

// held is a buffer that others lie over.
type held struct{ b *memory.Buffer }

func (h held) Free([]byte) { h.b.Release() }

// credited is the allocator of one run's buffer, whose last release frees it
// where it came from and gives its credit back.
type credited struct {
	l    *Live
	from interface{ Free(b []byte) }
}

func (c credited) Free(b []byte) {
	n := int64(len(b))
	c.from.Free(b)
	c.l.giveBack(n)
}

func (credited) Allocate(int) []byte           { panic("shuffle: a run's buffer does not allocate") }
func (credited) Reallocate(int, []byte) []byte { panic("shuffle: a run's buffer does not grow") }
