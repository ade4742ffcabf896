package output

import (
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/parquet"
	pqcompress "github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"
)

// A Parquet row group is in memory until it is whole: it has at most rowGroup
// rows, and ends once groupBytes of pages are encoded.
const (
	rowGroup   = 1 << 20
	groupBytes = 32 << 20
)

// parquetFile writes Parquet with the Arrow schema stored, so that types come
// back as they were.
type parquetFile struct{ w *pqarrow.FileWriter }

func newParquet(w io.Writer, o Options) (*parquetFile, error) {
	if err := needSchema(o); err != nil {
		return nil, err
	}
	codec, ok := map[string]pqcompress.Compression{
		"": pqcompress.Codecs.Zstd, "zstd": pqcompress.Codecs.Zstd, "gzip": pqcompress.Codecs.Gzip,
		"snappy": pqcompress.Codecs.Snappy, "none": pqcompress.Codecs.Uncompressed,
	}[o.Compression]
	if !ok {
		return nil, noCompression(o.Compression)
	}
	props := parquet.NewWriterProperties(parquet.WithCompression(codec), parquet.WithMaxRowGroupLength(rowGroup))
	fw, err := pqarrow.NewFileWriter(o.Schema, &sink{w: w}, props,
		pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return nil, err
	}
	return &parquetFile{fw}, nil
}

// Write goes into the row group at hand, so that small batches make no small
// row groups.
func (p *parquetFile) Write(rec arrow.Record) error {
	// The second also counts the pages of columns that gave up a dictionary.
	if max(p.w.RowGroupTotalCompressedBytes(), p.w.RowGroupTotalBytesWritten()) >= groupBytes {
		p.w.NewBufferedRowGroup()
	}
	return p.w.WriteBuffered(rec)
}

func (p *parquetFile) Close() error { return p.w.Close() }

// sink is what the library writes to. It has no Close, which the library would
// call. After an error it takes nothing more: the library forgets the error of
// a row group that it ends to begin the next, and would write on behind a hole.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(b []byte) (n int, err error) {
	if s.err == nil {
		n, s.err = s.w.Write(b)
	}
	return n, s.err
}

// arrowFile writes the Arrow IPC file format.
type arrowFile struct{ w *ipc.FileWriter }

func newArrow(w io.Writer, o Options) (*arrowFile, error) {
	if err := needSchema(o); err != nil {
		return nil, err
	}
	opts := []ipc.Option{ipc.WithSchema(o.Schema)}
	switch o.Compression {
	case "", "none":
	case "zstd":
		opts = append(opts, ipc.WithZstd())
	default:
		return nil, noCompression(o.Compression)
	}
	fw, err := ipc.NewFileWriter(&position{w: w}, opts...)
	if err != nil {
		return nil, err
	}
	return &arrowFile{fw}, nil
}

func (a *arrowFile) Write(rec arrow.Record) error { return a.w.Write(rec) }
func (a *arrowFile) Close() error                 { return a.w.Close() }

// position tells the IPC writer where it is: all that it seeks for.
type position struct {
	w   io.Writer
	off int64
}

func (p *position) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.off += int64(n)
	return n, err
}

func (p *position) Seek(off int64, whence int) (int64, error) {
	if off != 0 || whence != io.SeekCurrent {
		return 0, io.ErrNoProgress
	}
	return p.off, nil
}
