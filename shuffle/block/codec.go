package block

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec compresses the buffers of a batch, each on its own: Arrow's
// BodyCompression.
type Codec string

const (
	None Codec = ""
	LZ4  Codec = "lz4"  // LZ4 frames
	Zstd Codec = "zstd" // Zstandard frames
)

// ParseCodec reads the name of a codec: "", "none", "lz4" or "zstd".
func ParseCodec(s string) (Codec, error) {
	switch c := Codec(s); c {
	case None, LZ4, Zstd:
		return c, nil
	case "none":
		return None, nil
	}
	return None, fmt.Errorf("codec %q is not known: use none, lz4 or zstd", s)
}

// ipc is the codec's number in Arrow's Message.fbs.
func (c Codec) ipc() byte {
	if c == Zstd {
		return 1
	}
	return 0
}

// A compressed buffer is an int64, its length before, and the frame; or -1 and
// the bytes as they are, where compressing did not pay. An empty one is empty.
const (
	prefixBytes = 8
	stored      = -1
)

const (
	worth      = 1.3      // the ratio below which a buffer is stored as it is
	tooSmall   = 128      // bytes below which none is tried
	sampleFrom = 32 << 10 // length from which a sample is tried first
	sampleSize = 4 << 10  // of each of four samples
	restFor    = 15       // buffers of a column stored unseen after one that did not pay
)

// Codecs holds encoders and decoders for reuse. The zero value is ready; it may
// be used from any goroutine. It must not be copied.
type Codecs struct {
	zstdWriters, zstdReaders, lz4Writers, lz4Readers sync.Pool
}

// Compressor compresses buffers of batches of one schema with one codec. It
// may be used from any goroutine.
type Compressor struct {
	codec  Codec
	codecs *Codecs
	rest   []atomic.Int32 // by buffer: how many more to store unseen
}

// NewCompressor returns a compressor of the buffers of schema's batches. The
// codec must be known and not None.
func NewCompressor(layout Shape, codec Codec, codecs *Codecs) (*Compressor, error) {
	if codec != LZ4 && codec != Zstd {
		return nil, fmt.Errorf("codec %q does not compress", codec)
	}
	return &Compressor{codec: codec, codecs: codecs, rest: make([]atomic.Int32, layout.Buffers)}, nil
}

// Append appends the i-th buffer of a batch to dst, compressed if that pays.
func (c *Compressor) Append(dst []byte, i int, src []byte) ([]byte, error) {
	if len(src) == 0 {
		return dst, nil
	}
	pays, err := c.tryOut(i, dst, src)
	if err != nil {
		return nil, err
	}
	if pays {
		start := len(dst)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(len(src)))
		if dst, err = c.codecs.compress(c.codec, dst, src); err != nil {
			return nil, err
		}
		if better(len(src), len(dst)-start-prefixBytes) {
			return dst, nil
		}
		c.rest[i].Store(restFor)
		dst = dst[:start]
	}
	minusOne := int64(stored)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(minusOne))
	return append(dst, src...), nil
}

// tryOut tells from a sample of src whether to compress it all. It may use
// the memory behind dst.
func (c *Compressor) tryOut(i int, dst, src []byte) (bool, error) {
	if len(src) < tooSmall {
		return false, nil
	}
	if c.rest[i].Load() > 0 {
		c.rest[i].Add(-1)
		return false, nil
	}
	if len(src) < sampleFrom {
		return true, nil
	}
	sample := make([]byte, 0, 4*sampleSize)
	for k := range 4 {
		sample = append(sample, src[(len(src)-sampleSize)/3*k:][:sampleSize]...)
	}
	out, err := c.codecs.compress(c.codec, dst[len(dst):], sample)
	if err != nil {
		return false, err
	}
	if !better(len(sample), len(out)) {
		c.rest[i].Store(restFor)
		return false, nil
	}
	return true, nil
}

func better(before, after int) bool { return float64(before) >= worth*float64(after) }

// compress appends a frame of src to dst.
func (p *Codecs) compress(codec Codec, dst, src []byte) ([]byte, error) {
	if codec == Zstd {
		w, ok := p.zstdWriters.Get().(*zstd.Encoder)
		if !ok {
			var err error
			// The exchange has its own checksum.
			w, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
				zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
			if err != nil {
				return nil, fmt.Errorf("make a zstd encoder: %w", err)
			}
		}
		dst = w.EncodeAll(src, dst)
		p.zstdWriters.Put(w)
		return dst, nil
	}
	w, ok := p.lz4Writers.Get().(*lz4.Writer)
	if !ok {
		w = lz4.NewWriter(nil)
		if err := w.Apply(lz4.BlockSizeOption(lz4.Block256Kb), lz4.ChecksumOption(false), lz4.ConcurrencyOption(1)); err != nil {
			return nil, fmt.Errorf("make an lz4 encoder: %w", err)
		}
	}
	out := bytes.NewBuffer(dst)
	w.Reset(out)
	if _, err := w.Write(src); err != nil {
		return nil, fmt.Errorf("compress %d bytes: %w", len(src), err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress %d bytes: %w", len(src), err)
	}
	p.lz4Writers.Put(w)
	return out.Bytes(), nil
}

// decompress fills dst with what the frame src holds, which must be exactly
// that long: else it is [ErrMalformed].
func (p *Codecs) decompress(codec Codec, dst, src []byte) error {
	var n int
	var err error
	switch codec {
	case Zstd:
		n, err = p.unzstd(dst, src)
	case LZ4:
		n, err = p.unlz4(dst, src)
	default:
		return fmt.Errorf("%w: codec %q is not known", ErrMalformed, codec)
	}
	if err != nil {
		return fmt.Errorf("%w: %s frame: %w", ErrMalformed, codec, err)
	}
	if n != len(dst) {
		return fmt.Errorf("%w: %s frame holds %d bytes, its buffer has %d", ErrMalformed, codec, n, len(dst))
	}
	return nil
}

func (p *Codecs) unzstd(dst, src []byte) (int, error) {
	r, ok := p.zstdReaders.Get().(*zstd.Decoder)
	if !ok {
		var err error
		r, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true))
		if err != nil {
			return 0, err
		}
	}
	defer p.zstdReaders.Put(r)
	out, err := r.DecodeAll(src, dst[:0:len(dst)])
	if len(out) > 0 && &out[0] != &dst[0] {
		return 0, zstd.ErrDecoderSizeExceeded
	}
	return len(out), err
}

func (p *Codecs) unlz4(dst, src []byte) (int, error) {
	r, ok := p.lz4Readers.Get().(*lz4.Reader)
	if !ok {
		r = lz4.NewReader(nil)
		if err := r.Apply(lz4.ConcurrencyOption(1)); err != nil {
			return 0, err
		}
	}
	defer p.lz4Readers.Put(r)
	in := bytes.NewReader(src)
	r.Reset(in)
	n, err := io.ReadFull(r, dst)
	if err != nil {
		return n, err
	}
	var more [1]byte
	if k, err := r.Read(more[:]); k != 0 || err != io.EOF {
		return n + k, err
	}
	return n, nil
}
