package shuffle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/capstan-run/capstan/shuffle/block"
)

// MaxPartitions bounds the partitions of one object.
const MaxPartitions = 1 << 20

// MarshalBinary encodes x as doc.go describes. A flat batch takes about three
// bytes per buffer, an empty partition one byte.
func (x *Index) MarshalBinary() ([]byte, error) {
	if x.Version < 1 || x.Version > Version {
		return nil, fmt.Errorf("encode exchange index %s: version %d, want 1 to %d", x.Name, x.Version, Version)
	}
	if x.First < 0 || x.Total > MaxPartitions || len(x.Partitions) > x.Total-x.First {
		return nil, fmt.Errorf("encode exchange index %s: partitions %d+%d of %d", x.Name, x.First, len(x.Partitions), x.Total)
	}
	b := binary.AppendUvarint(nil, uint64(x.Version))
	b = appendString(b, x.Name)
	b = appendString(b, x.Object)
	b = binary.AppendUvarint(b, uint64(x.Size))
	b = appendString(b, string(x.Schema))
	b = binary.AppendUvarint(b, uint64(x.Total))
	b = binary.AppendUvarint(b, uint64(x.First))
	b = binary.AppendUvarint(b, uint64(len(x.Partitions)))
	for i := range x.Partitions {
		b = appendPartition(b, &x.Partitions[i], x.Version)
	}
	return b, nil
}

func appendPartition(b []byte, p *Partition, version uint16) []byte {
	b = binary.AppendUvarint(b, uint64(p.Length))
	if p.Length == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(p.Offset))
	b = binary.AppendUvarint(b, uint64(p.Rows))
	b = binary.LittleEndian.AppendUint32(b, p.CRC32C)
	b = binary.LittleEndian.AppendUint64(b, p.RowHash)
	b = appendString(b, p.Codec)
	if version > 1 {
		b = binary.AppendUvarint(b, uint64(len(p.Dictionaries)))
		for i := range p.Dictionaries {
			b = appendBatch(b, &p.Dictionaries[i])
		}
	}
	b = binary.AppendUvarint(b, uint64(len(p.Batches)))
	for i := range p.Batches {
		b = appendBatch(b, &p.Batches[i])
		if version > 1 && p.Codec != "" {
			b = binary.AppendUvarint(b, uint64(p.Batches[i].Raw))
		}
	}
	return b
}

func appendBatch(b []byte, t *Batch) []byte {
	b = binary.AppendUvarint(b, uint64(t.Rows))
	b = binary.AppendUvarint(b, uint64(len(t.Lengths)))
	for i, n := range t.Lengths {
		b = binary.AppendVarint(b, n-t.Rows)
		b = binary.AppendUvarint(b, uint64(t.Nulls[i]))
	}
	b = binary.AppendUvarint(b, uint64(len(t.Buffers)))
	expect := int64(0)
	for _, e := range t.Buffers {
		b = binary.AppendVarint(b, e.Offset-expect)
		b = binary.AppendUvarint(b, uint64(e.Length))
		expect = block.Align(e.Offset + e.Length)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// errIndex is the cause of every refusal of UnmarshalBinary.
var errIndex = errors.New("exchange index is cut off or malformed")

// UnmarshalBinary decodes what MarshalBinary wrote. It allocates at most in
// proportion to len(b), checks every count, and leaves the schema unparsed.
// Whether the extents fit the data is checked when the partition is read.
func (x *Index) UnmarshalBinary(b []byte) error {
	d := indexDecoder{b: b}
	v := d.count()
	if d.err == nil && (v < 1 || v > Version) {
		return fmt.Errorf("exchange index has version %d, this program reads 1 to %d", v, Version)
	}
	y := Index{Version: uint16(v)}
	y.Name = string(d.bytes())
	y.Object = string(d.bytes())
	y.Size = d.count()
	if s := d.bytes(); len(s) > 0 {
		y.Schema = append([]byte(nil), s...)
	}
	total, first, held := d.count(), d.count(), d.items(1)
	if total > MaxPartitions || first > total || int64(held) > total-first {
		d.err = errIndex
	}
	if d.err == nil {
		y.Total, y.First = int(total), int(first)
		y.Partitions = make([]Partition, held)
		for i := range y.Partitions {
			d.partition(&y.Partitions[i], y.Version)
		}
	}
	if len(d.b) > 0 && d.err == nil {
		d.err = errIndex
	}
	if d.err != nil {
		return d.err
	}
	*x = y
	return nil
}

// indexDecoder consumes b. After an error every read answers zero.
type indexDecoder struct {
	b   []byte
	err error
}

func (d *indexDecoder) fail() { d.err, d.b = errIndex, nil }

// count reads a number that is not negative as an int64.
func (d *indexDecoder) count() int64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > math.MaxInt64 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return int64(v)
}

func (d *indexDecoder) signed() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// items reads the count of items of at least size bytes each.
func (d *indexDecoder) items(size int) int {
	n := d.count()
	if n > int64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *indexDecoder) bytes() []byte { return d.take(d.items(1)) }

func (d *indexDecoder) take(n int) []byte {
	if n > len(d.b) {
		d.fail()
		return nil
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

func (d *indexDecoder) partition(p *Partition, version uint16) {
	p.Length = d.count()
	if p.Length == 0 {
		return
	}
	p.Offset, p.Rows = d.count(), d.count()
	if s := d.take(12); s != nil {
		p.CRC32C = binary.LittleEndian.Uint32(s)
		p.RowHash = binary.LittleEndian.Uint64(s[4:])
	}
	p.Codec = string(d.bytes())
	if version > 1 {
		p.Dictionaries = d.batches(false)
	}
	p.Batches = d.batches(version > 1 && p.Codec != "")
}

func (d *indexDecoder) batches(packed bool) []Batch {
	n := d.items(3)
	if n == 0 {
		return nil
	}
	out := make([]Batch, n)
	for i := range out {
		d.batch(&out[i])
		if packed {
			out[i].Raw = d.count()
		}
	}
	return out
}

func (d *indexDecoder) batch(t *Batch) {
	t.Rows = d.count()
	if n := d.items(2); n > 0 {
		both := make([]int64, 2*n)
		t.Lengths, t.Nulls = both[:n:n], both[n:]
	}
	for i := range t.Lengths {
		t.Lengths[i], t.Nulls[i] = t.Rows+d.signed(), d.count()
	}
	if n := d.items(2); n > 0 {
		t.Buffers = make([]Extent, n)
	}
	expect := int64(0)
	for i := range t.Buffers {
		e := &t.Buffers[i]
		e.Offset, e.Length = expect+d.signed(), d.count()
		expect = block.Align(e.Offset + e.Length)
	}
}
