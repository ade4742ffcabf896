package block

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
)

// Reindexer copies the messages of batches whose dictionaries were joined to
// others: the indices of dictionary columns become others, everything else is
// copied as it lies. It is not safe for concurrent use.
type Reindexer struct {
	shape   Shape
	meta    *message
	comp    *Compressor
	columns []indexColumn // by dictionary, in the order of their buffers
	scratch []byte
	packed  []byte
}

// indexColumn is where a batch has the indices of one dictionary.
type indexColumn struct{ array, buffer, width int }

// NewReindexer returns a reindexer of batches of schema, which must pass
// [CheckSchema] and have a dictionary. comp, if not nil, is of the codec that
// they are compressed with.
func NewReindexer(schema *arrow.Schema, comp *Compressor) *Reindexer {
	s, codec := ShapeOf(schema), None
	if comp != nil {
		codec = comp.codec
	}
	r := &Reindexer{shape: s, meta: newMessage(s.Arrays, s.Buffers, codec), comp: comp, scratch: make([]byte, Scratch)}
	r.find(schema.Fields(), new(indexColumn))
	return r
}

// find collects the columns with indices among fields, which begin at at.
func (r *Reindexer) find(fields []arrow.Field, at *indexColumn) {
	for _, f := range fields {
		l, err := LayoutOf(f.Type)
		if err != nil {
			panic("block: indices of an unchecked schema: " + err.Error())
		}
		if l.Form == FormDictionary {
			r.columns = append(r.columns, indexColumn{array: at.array, buffer: at.buffer + 1, width: l.Width})
		}
		at.array++
		at.buffer += l.Buffers()
		r.find(l.Children, at)
	}
}

// Start returns where the message of b begins, whose extents count from the
// start of a partition of size bytes.
func (r *Reindexer) Start(b *Batch, size int64) (int64, error) {
	fits := len(b.Buffers) == r.shape.Buffers && len(b.Lengths) == r.shape.Arrays && len(b.Nulls) == r.shape.Arrays
	if !fits || b.Buffers[0].Offset < r.meta.size() || b.Buffers[0].Offset > size {
		return 0, fmt.Errorf("%w: no message of the schema in a partition of %d bytes", ErrMalformed, size)
	}
	return b.Buffers[0].Offset - r.meta.size(), nil
}

// Reindex writes the message of b, which ends at end, of the partition whose
// bytes are part, to w: index k of dictionary i as maps[i][k], or as it is
// where maps[i] is nil. It returns where the buffers lie, counted from the
// message's start, and how many bytes it wrote. part starts at an address that
// is a multiple of 8. A batch that does not fit its bytes is [ErrMalformed].
func (r *Reindexer) Reindex(w io.Writer, part []byte, b *Batch, end int64, maps [][]int32) (Batch, int64, error) {
	start, err := r.Start(b, int64(len(part)))
	if err != nil {
		return Batch{}, 0, err
	}
	if end < start || end > int64(len(part)) {
		return Batch{}, 0, fmt.Errorf("%w: a message from %d to %d of %d bytes", ErrMalformed, start, end, len(part))
	}
	for _, x := range b.Buffers {
		if err := checkExtent(x, end); err != nil {
			return Batch{}, 0, err
		}
	}
	if b.Raw != 0 && r.comp != nil {
		return r.reindexPacked(w, part, b, maps)
	}
	out := *b
	out.Buffers = make([]Extent, len(b.Buffers))
	for i, x := range b.Buffers {
		out.Buffers[i] = Extent{Offset: x.Offset - start, Length: x.Length}
	}
	return out, end - start, r.reindexPlain(w, part[:end], b, start, maps)
}

// reindexPlain writes what lies before and between the indices as it is.
func (r *Reindexer) reindexPlain(w io.Writer, part []byte, b *Batch, at int64, maps [][]int32) error {
	for i, c := range r.columns {
		x, n := b.Buffers[c.buffer], b.Lengths[c.array]
		if maps[i] == nil || n == 0 {
			continue
		}
		if x.Offset < at || n < 0 || n > x.Length/int64(c.width) {
			return fmt.Errorf("%w: %d indices of %d bytes at %d to %d", ErrMalformed, n, c.width, x.Offset, x.Offset+x.Length)
		}
		if _, err := w.Write(part[at:x.Offset]); err != nil {
			return err
		}
		at = x.Offset + n*int64(c.width)
		v := b.Buffers[c.buffer-1]
		if err := r.column(w, c.width, part[x.Offset:at], part[v.Offset:v.Offset+v.Length], maps[i]); err != nil {
			return fmt.Errorf("dictionary %d: %w", i, err)
		}
	}
	_, err := w.Write(part[at:])
	return err
}

// column writes the indices src as to has them.
func (r *Reindexer) column(w io.Writer, width int, src, valid []byte, to []int32) error {
	for first := 0; len(src) > 0; {
		n := min(len(src), len(r.scratch))
		if err := reindex(r.scratch[:n], src[:n], width, first, valid, to); err != nil {
			return err
		}
		if _, err := w.Write(r.scratch[:n]); err != nil {
			return err
		}
		src, first = src[n:], first+n/width
	}
	return nil
}

// reindexPacked puts the message together anew: only buffers of indices are
// decompressed, and compressed again.
func (r *Reindexer) reindexPacked(w io.Writer, part []byte, b *Batch, maps [][]int32) (Batch, int64, error) {
	out := *b
	out.Buffers = make([]Extent, len(b.Buffers))
	dst, next := append(r.packed[:0], r.meta.bytes...), 0
	for i, x := range b.Buffers {
		from := len(dst)
		k := -1
		if next < len(r.columns) && r.columns[next].buffer == i {
			k = next
			next++
		}
		var err error
		if k < 0 || maps[k] == nil || x.Length == 0 {
			dst = append(dst, part[x.Offset:x.Offset+x.Length]...)
		} else if dst, err = r.repack(dst, part, b, k, maps[k]); err != nil {
			return Batch{}, 0, fmt.Errorf("dictionary %d: %w", k, err)
		}
		n := int64(len(dst) - from)
		out.Buffers[i] = Extent{Offset: int64(from), Length: n}
		dst = append(dst, zeros[:Align(n)-n]...)
	}
	r.meta.put(dst, &out, r.meta.size(), int64(len(dst))-r.meta.size())
	r.packed = dst
	n, err := w.Write(dst)
	return out, int64(n), err
}

// repack appends the indices of dictionary k, compressed, as to has them.
func (r *Reindexer) repack(dst, part []byte, b *Batch, k int, to []int32) ([]byte, error) {
	c := r.columns[k]
	src, valid, err := r.indices(part, b, c)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(src))
	if err := reindex(out, src, c.width, 0, valid, to); err != nil {
		return nil, err
	}
	return r.comp.Append(dst, c.buffer, out)
}

// unpack returns the bytes of the compressed buffer x, which start at an
// address that is a multiple of 8.
func (r *Reindexer) unpack(part []byte, x Extent) ([]byte, error) {
	if x.Length == 0 {
		return nil, nil
	}
	if x.Length < prefixBytes {
		return nil, fmt.Errorf("%w: compressed buffer of %d bytes", ErrMalformed, x.Length)
	}
	src := part[x.Offset : x.Offset+x.Length]
	n, frame := int64(binary.LittleEndian.Uint64(src)), src[prefixBytes:]
	if n == stored {
		return frame, nil
	}
	if n <= 0 || n > MaxRaw || n > x.Length*maxRatio(r.comp.codec) {
		return nil, fmt.Errorf("%w: compressed buffer claims %d bytes", ErrMalformed, n)
	}
	out := make([]byte, n)
	return out, r.comp.codecs.decompress(r.comp.codec, out, frame)
}

// reindex fills dst with the indices of src, of width bytes, as to has them.
// valid has the bit of the first at position first.
func reindex(dst, src []byte, width, first int, valid []byte, to []int32) error {
	switch width {
	case 1:
		return reindexAs[uint8](dst, src, first, valid, to)
	case 2:
		return reindexAs[uint16](dst, src, first, valid, to)
	case 4:
		return reindexAs[uint32](dst, src, first, valid, to)
	}
	return reindexAs[uint64](dst, src, first, valid, to)
}

func reindexAs[T uint8 | uint16 | uint32 | uint64](dst, src []byte, first int, valid []byte, to []int32) error {
	in := Cast[T](src)
	out := Cast[T](dst)[:len(in)]
	for i, v := range in {
		if uint64(v) < uint64(len(to)) {
			out[i] = T(to[v])
			continue
		}
		at := first + i
		if len(valid) == 0 || at>>3 >= len(valid) || valid[at>>3]>>(at&7)&1 == 1 {
			return fmt.Errorf("%w: index %d into a dictionary of %d", ErrMalformed, uint64(v), len(to))
		}
		out[i] = v // what lies below a null may be anything
	}
	return nil
}
