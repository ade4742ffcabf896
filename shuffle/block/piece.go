package block

import (
	"io"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow/bitutil"
)

// piece is one buffer yet to be written: how its bytes come from an array's.
type piece struct {
	op     pieceOp
	src    []byte
	offset int // bits: first bit of src
	count  int // bits, or offsets
}

type pieceOp uint8

const (
	pieceBytes     pieceOp = iota // src as it is
	pieceBits                     // count bits of src from bit offset
	pieceOffsets32                // count int32 of src, less the first
	pieceOffsets64                // count int64 of src, less the first
)

func (p *piece) length() int64 {
	switch p.op {
	case pieceBits:
		return bitutil.BytesForBits(int64(p.count))
	default:
		return int64(len(p.src))
	}
}

// emit writes one piece through the scratch buffer where its bytes are not
// those in memory.
func (e *Encoder) emit(w io.Writer, p *piece) error {
	switch p.op {
	case pieceBits:
		return e.emitBits(w, p)
	case pieceOffsets32:
		return rebase[int32](w, p.src, e.scratch[:])
	case pieceOffsets64:
		return rebase[int64](w, p.src, e.scratch[:])
	}
	if len(p.src) == 0 {
		return nil
	}
	_, err := w.Write(p.src)
	return err
}

func (e *Encoder) emitBits(w io.Writer, p *piece) error {
	for done := 0; done < p.count; {
		n := min(p.count-done, len(e.scratch)*8)
		out := e.scratch[:bitutil.BytesForBits(int64(n))]
		out[len(out)-1] = 0
		bitutil.CopyBitmap(p.src, p.offset+done, n, out, 0)
		if n%8 != 0 {
			out[len(out)-1] &= 1<<(n%8) - 1
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
		done += n
	}
	return nil
}

// rebase writes the offsets in src less the first of them.
func rebase[T int32 | int64](w io.Writer, src, scratch []byte) error {
	in, out := Cast[T](src), Cast[T](scratch)
	first := in[0]
	for len(in) > 0 {
		n := min(len(in), len(out))
		for i, v := range in[:n] {
			out[i] = v - first
		}
		if _, err := w.Write(scratch[:n*int(unsafe.Sizeof(first))]); err != nil {
			return err
		}
		in = in[n:]
	}
	return nil
}

type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(b []byte) (int, error) {
	w.b = append(w.b, b...)
	return len(b), nil
}

var zeros [Alignment]byte

func pad(w io.Writer, n int64) error {
	for n > 0 {
		k := min(n, int64(len(zeros)))
		if _, err := w.Write(zeros[:k]); err != nil {
			return err
		}
		n -= k
	}
	return nil
}
