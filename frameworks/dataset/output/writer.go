package output

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/capstan-run/capstan/core"
)

// Options says what a part looks like.
type Options struct {
	Format      string // text (default), csv, json, parquet, arrow, fixed
	Compression string // none, gzip, zstd; parquet: also snappy. "": none, parquet zstd
	Schema      *arrow.Schema
}

// Writer writes records in one format. It is used by one goroutine.
type Writer interface {
	// Write adds the rows of rec, which has the schema of Options. It keeps
	// nothing of rec.
	Write(rec arrow.Record) error
	// Close writes what is due and the format's end. It does not close the
	// io.Writer below.
	Close() error
}

// New returns the writer of o.Format onto w. A format without a header (text,
// json, csv apart) writes nothing for no rows.
func New(w io.Writer, o Options) (Writer, error) {
	switch o.Format {
	case "", "text":
		return NewText(w, o.Compression)
	case "csv":
		return newCSV(w, o)
	case "json":
		return newJSON(w, o)
	case "parquet":
		return newParquet(w, o)
	case "arrow":
		return newArrow(w, o)
	case "fixed":
		return newFixed(w, o)
	}
	return nil, core.Errorf(core.Invalid, "no such output format: %q", o.Format).At("spec.output.format").
		Do("use text, csv, json, parquet, arrow or fixed")
}

// compress puts a compressor in front of w. Its Close leaves w open.
func compress(w io.Writer, compression string) (io.WriteCloser, error) {
	switch compression {
	case "", "none":
		return plain{w}, nil
	case "gzip":
		return gzip.NewWriterLevel(w, gzip.BestSpeed+2)
	case "zstd":
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	}
	return nil, noCompression(compression)
}

func noCompression(name string) error {
	return core.Errorf(core.Invalid, "no such compression: %q", name).At("spec.output.compression").
		Do("use none, gzip or zstd")
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }

// lineBuffer gathers lines into writes of a size that costs little each.
type lineBuffer struct {
	w   io.WriteCloser
	buf []byte
}

const lineBufferSize = 256 << 10

func (b *lineBuffer) open(w io.Writer, compression string) error {
	z, err := compress(w, compression)
	b.w, b.buf = z, make([]byte, 0, lineBufferSize+4096)
	return err
}

// full writes the buffer out if it is well filled.
func (b *lineBuffer) full() error {
	if len(b.buf) < lineBufferSize {
		return nil
	}
	return b.flush()
}

func (b *lineBuffer) flush() error {
	_, err := b.w.Write(b.buf)
	b.buf = b.buf[:0]
	return err
}

func (b *lineBuffer) Close() error {
	if err := b.flush(); err != nil {
		return err
	}
	return b.w.Close()
}

func needSchema(o Options) error {
	if o.Schema == nil {
		return fmt.Errorf("%s output needs a schema", o.Format)
	}
	return nil
}
