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
	prune  *pruner   // nil: every partition has head
	maps   [][]int32 // of the current partition's indices, nil where they stay
	out    stage
	window []byte // what was read of the runs
}

// joinWindow is about how much of the runs is read at a time.
const joinWindow = 8 << 20

// only writes a partition that is one message.
func (m *assembly) only(p int, x piece, message []byte) error {
	head, err := m.headOf([]*piece{&x}, [][]byte{message})
	if err != nil {
		return err
	}
	if err := m.begin(p, head); err != nil {
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

// size is the length of the object without its footer, or a little less.
func (m *assembly) size() int64 {
	n, head := int64(0), int64(len(m.head)+len(tail))
	if m.prune != nil {
		head = int64(len(m.w.index.Schema) + len(tail))
	}
	for p := range m.w.parts {
		if s := m.sizeOf(p); s > 0 {
			n += s + head
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
		head, err := m.headAt(p, parts)
		if err != nil {
			return err
		}
		if err := m.begin(p, head); err != nil {
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
// than the budget, but all of them may be. It begins with the whole dictionaries.
func (m *assembly) joinLarge(p int) error {
	m.maps = nil
	if err := m.begin(p, head{bytes: m.head, places: m.dicts}); err != nil {
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

// headAt returns what the partition p begins with, whose messages are the first
// of parts.
func (m *assembly) headAt(p int, parts [][]byte) (head, error) {
	var pieces []*piece
	var messages [][]byte
	if m.prune != nil {
		for i := range m.w.runs {
			x := &m.w.runs[i].pieces[p]
			if x.length == 0 {
				continue
			}
			message := parts[i][:x.length]
			if err := x.verify(p, message); err != nil {
				return head{}, err
			}
			pieces, messages = append(pieces, x), append(messages, message)
		}
	}
	return m.headOf(pieces, messages)
}

// headOf returns what a partition of the given messages begins with, and sets
// what their indices become.
func (m *assembly) headOf(pieces []*piece, messages [][]byte) (head, error) {
	whole := head{bytes: m.head, places: m.dicts}
	if m.maps = nil; m.prune == nil {
		return whole, nil
	}
	pruned, maps, err := m.prune.prune(pieces, messages)
	if err != nil || maps == nil {
		return whole, err
	}
	m.maps = maps
	return pruned, nil
}

func (m *assembly) begin(p int, h head) error {
	x := &m.w.index.Partitions[p]
	x.Offset, x.Codec, x.Dictionaries = m.out.begin(), m.w.o.codec(), h.places
	_, err := m.out.Write(h.bytes)
	return err
}

// verify refuses a message that is not what was written into its run.
func (x *piece) verify(p int, message []byte) error {
	if crc := checksum.Of(message); crc != x.crc {
		return fmt.Errorf("%w: spilled message of partition %d has checksum %08x, was written with %08x", ErrCorrupt, p, crc, x.crc)
	}
	return nil
}

// add appends a message to the current partition, once it is found intact.
func (m *assembly) add(p int, x *piece, message []byte) error {
	if len(message) == 0 {
		return nil
	}
	if len(m.w.runs) > 0 {
		if err := x.verify(p, message); err != nil {
			return err
		}
	}
	part := &m.w.index.Partitions[p]
	part.Rows += x.batch.Rows
	part.RowHash += x.hash
	at, b := m.out.length, x.batch
	var err error
	if m.maps == nil {
		_, err = m.out.Write(message)
	} else {
		b, _, err = m.prune.batches.Reindex(&m.out, message, &x.batch, int64(len(message)), m.maps)
	}
	part.Batches = append(part.Batches, shifted(&b, at))
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
