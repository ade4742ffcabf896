package block

import (
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// inflated are the buffers of a compressed batch, nil for empty ones.
type inflated []*memory.Buffer

func (f inflated) release() {
	for _, b := range f {
		if b != nil {
			b.Release()
		}
	}
}

// maxRatio bounds what a batch may claim to have been before compression: in
// LZ4 a byte stands for 255 at most, and a Zstandard block of one repeated byte
// is 128 KiB in 4 bytes.
func maxRatio(c Codec) int64 {
	if c == LZ4 {
		return 256
	}
	return 32 << 10
}

// inflate decompresses the buffers of b into one piece of memory. Buffers that
// were stored as they are lie over the partition's bytes.
func (d *Decoder) inflate(b *Batch) (inflated, error) {
	need, err := d.inflatedSize(b)
	if err != nil {
		return nil, err
	}
	var body *memory.Buffer
	if need > 0 {
		body = memory.NewBufferWithAllocator(d.mem.Allocate(int(need)), d.mem)
		defer body.Release()
	}
	out, at := make(inflated, len(b.Buffers)), int64(0)
	for i, x := range b.Buffers {
		if x.Length == 0 {
			continue
		}
		n, frame := d.frame(x)
		if n == stored {
			out[i] = memory.SliceBuffer(d.buf, int(x.Offset)+prefixBytes, len(frame))
			continue
		}
		if err := d.codecs.decompress(d.codec, body.Bytes()[at:at+n:at+n], frame); err != nil {
			out.release()
			return nil, fmt.Errorf("buffer %d: %w", i, err)
		}
		out[i] = memory.SliceBuffer(body, int(at), int(n))
		at += Align(n)
	}
	return out, nil
}

// inflatedSize returns the bytes that the compressed buffers of b take, after
// a look at their places and claims.
func (d *Decoder) inflatedSize(b *Batch) (int64, error) {
	if d.codec == None || d.codecs == nil || d.mem == nil {
		return 0, fmt.Errorf("%w: a compressed batch in a partition without codec", ErrMalformed)
	}
	var need, packed int64
	for _, x := range b.Buffers {
		if err := checkExtent(x, int64(d.buf.Len())); err != nil {
			return 0, err
		}
		if x.Length == 0 {
			continue
		}
		if x.Length < prefixBytes {
			return 0, fmt.Errorf("%w: compressed buffer of %d bytes", ErrMalformed, x.Length)
		}
		packed += x.Length
		n, _ := d.frame(x)
		if n == stored {
			continue
		}
		if n <= 0 || n > MaxRaw {
			return 0, fmt.Errorf("%w: compressed buffer claims %d bytes", ErrMalformed, n)
		}
		need += Align(n)
	}
	if need > b.Raw || b.Raw > MaxRaw || need > packed*maxRatio(d.codec) {
		return 0, fmt.Errorf("%w: buffers claim %d bytes, batch says %d", ErrMalformed, need, b.Raw)
	}
	return need, nil
}

// frame returns the claim and the frame of the compressed buffer x.
func (d *Decoder) frame(x Extent) (int64, []byte) {
	b := d.buf.Bytes()[x.Offset : x.Offset+x.Length]
	return int64(binary.LittleEndian.Uint64(b)), b[prefixBytes:]
}
