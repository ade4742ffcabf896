package block

import "github.com/apache/arrow/go/v15/arrow"

// Framer puts the metadata of record batches in front of bodies that others
// laid out. It may be used from any goroutine.
type Framer struct {
	meta *message
	comp *Compressor
}

// NewFramer returns a framer for batches of schema, which must pass
// [CheckSchema]. comp, if not nil, compresses what Pack frames.
func NewFramer(schema *arrow.Schema, comp *Compressor) *Framer {
	s, codec := ShapeOf(schema), None
	if comp != nil {
		codec = comp.codec
	}
	return &Framer{meta: newMessage(s.Arrays, s.Buffers, codec), comp: comp}
}

// Size is the length of the metadata, a multiple of [Alignment].
func (f *Framer) Size() int64 { return f.meta.size() }

// Put writes the metadata of b, whose extents count from the start of a body
// of body bytes, into the first Size bytes of dst.
func (f *Framer) Put(dst []byte, b *Batch, body int64) { f.meta.put(dst, b, 0, body) }

// Pack appends the message of b with its buffers compressed to dst. b's
// extents count from the start of body; those of the result from the start of
// the message, which is where dst ends, a multiple of [Alignment].
func (f *Framer) Pack(dst []byte, b *Batch, body []byte) ([]byte, Batch, error) {
	start := len(dst)
	dst = append(dst, f.meta.bytes...)
	packed := *b
	packed.Raw = 0
	packed.Buffers = make([]Extent, len(b.Buffers))
	for i, x := range b.Buffers {
		from := len(dst)
		var err error
		if dst, err = f.comp.Append(dst, i, body[x.Offset:x.Offset+x.Length]); err != nil {
			return nil, Batch{}, err
		}
		n := int64(len(dst) - from)
		packed.Buffers[i] = Extent{Offset: int64(from - start), Length: n}
		packed.Raw += Align(x.Length)
		dst = append(dst, zeros[:Align(n)-n]...)
	}
	f.meta.put(dst[start:], &packed, f.Size(), int64(len(dst)-start)-f.Size())
	return dst, packed, nil
}
