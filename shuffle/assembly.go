package shuffle

import (
	"fmt"
	"io"

	"github.com/capstan-run/capstan/shuffle/checksum"
)

// assembly puts an object together from messages of runs, without a look at
// what is in them but for their checksums.
type assembly struct {
	w      *PartitionedWriter
	head   []byte
	dicts  []Batch
	out    stage
	window []byte // what was read of the runs
}

// joinWindow is about how much of the runs is read at a time.
const joinWindow = 8 << 20

// only writes a partition that is one message.
func (m *assembly) only(p int, x piece, message []byte) error {
	if err := m.begin(p); err != nil {
		return err
	}
	if err := m.add(p, &x, message); err != nil {
		return err
	}
	return m.end(p)
}

// join writes all partitions, each the concatenation of its messages in the
// order of the runs.
func (m *assembly) join() error {
	if m.w.group.Rows() > 0 {
		last := m.w.holdRun
		if m.w.packer != nil || m.w.transforms() {
			last = m.w.spillRun
		}
		if err := last(); err != nil {
			return err
		}
	}
	if err := m.out.file.reserve(m.size()); err != nil {
		return fmt.Errorf("reserve %d bytes: %w", m.size(), err)
	}
	for lo := 0; lo < m.w.parts; {
		hi, size := lo+1, m.sizeOf(lo)
		for hi < m.w.parts && size+m.sizeOf(hi) <= joinWindow {
			size += m.sizeOf(hi)
			hi++
		}
		if err := m.joinSome(lo, hi, size); err != nil {
			return err
		}
		lo = hi
	}
	return nil
}

// sizeOf is the length of all messages of a partition.
func (m *assembly) sizeOf(p int) int64 {
	n := int64(0)
	for i := range m.w.runs {
		n += m.w.runs[i].pieces[p].length
	}
	return n
}

func (m *assembly) size() int64 {
	n := int64(0)
	for p := range m.w.parts {
		if s := m.sizeOf(p); s > 0 {
			n += s + int64(len(m.head)+len(tail))
		}
	}
	return n
}

// joinSome writes the partitions lo to hi-1, whose messages have size bytes.
func (m *assembly) joinSome(lo, hi int, size int64) error {
	if size > joinWindow {
		return m.joinLarge(lo)
	}
	parts, at := make([][]byte, len(m.w.runs)), int64(0)
	m.grow(size)
	for i := range m.w.runs {
		off, n := m.w.runs[i].span(lo, hi)
		b, err := m.read(i, off, m.window[at:at+n:at+n])
		if err != nil {
			return err
		}
		parts[i] = b
		at += n
	}
	for p := lo; p < hi; p++ {
		if m.sizeOf(p) == 0 {
			continue
		}
		if err := m.begin(p); err != nil {
			return err
		}
		for i := range m.w.runs {
			x := &m.w.runs[i].pieces[p]
			if err := m.add(p, x, parts[i][:x.length]); err != nil {
				return err
			}
			parts[i] = parts[i][x.length:]
		}
		if err := m.end(p); err != nil {
			return err
		}
	}
	return nil
}

// joinLarge writes one partition a message at a time: a message is no larger
// than the budget, but all of them may be.
func (m *assembly) joinLarge(p int) error {
	if err := m.begin(p); err != nil {
		return err
	}
	for i := range m.w.runs {
		x := &m.w.runs[i].pieces[p]
		m.grow(x.length)
		b, err := m.read(i, x.off, m.window[:x.length])
		if err != nil {
			return err
		}
		if err := m.add(p, x, b); err != nil {
			return err
		}
	}
	return m.end(p)
}

// span is where the messages of partitions lo to hi-1 lie, side by side.
func (r *run) span(lo, hi int) (off, n int64) {
	for p := lo; p < hi; p++ {
		if x := &r.pieces[p]; x.length > 0 {
			if n == 0 {
				off = x.off
			}
			n += x.length
		}
	}
	return off, n
}

// read returns len(into) bytes of run i from off on: of its block, or read
// into into.
func (m *assembly) read(i int, off int64, into []byte) ([]byte, error) {
	if b := m.w.runs[i].block; b != nil {
		return b.Bytes()[off : off+int64(len(into))], nil
	}
	_, err := io.ReadFull(io.NewSectionReader(m.w.spill.file, off, int64(len(into))), into)
	if err != nil {
		return nil, fmt.Errorf("read run %d from the spill file: %w", i, err)
	}
	return into, nil
}

func (m *assembly) grow(n int64) {
	if int64(len(m.window)) < n {
		m.window = make([]byte, n)
	}
}

func (m *assembly) begin(p int) error {
	x := &m.w.index.Partitions[p]
	x.Offset, x.Codec, x.Dictionaries = m.out.begin(), m.w.o.codec(), m.dicts
	_, err := m.out.Write(m.head)
	return err
}

// add appends a message to the current partition, once it is found intact.
func (m *assembly) add(p int, x *piece, message []byte) error {
	if len(message) == 0 {
		return nil
	}
	if len(m.w.runs) > 0 {
		if crc := checksum.Of(message); crc != x.crc {
			return fmt.Errorf("%w: spilled message of partition %d has checksum %08x, was written with %08x", ErrCorrupt, p, crc, x.crc)
		}
	}
	part := &m.w.index.Partitions[p]
	part.Batches = append(part.Batches, shifted(&x.batch, m.out.length))
	part.Rows += x.batch.Rows
	part.RowHash += x.hash
	_, err := m.out.Write(message)
	return err
}

func (m *assembly) end(p int) error {
	if _, err := m.out.Write(tail[:]); err != nil {
		return err
	}
	part := &m.w.index.Partitions[p]
	part.Length, part.CRC32C = m.out.end()
	return nil
}
