package input

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
)

// Pos is where the first row of a record comes from.
type Pos struct {
	File   string // URL
	Offset int64  // of its first byte in the (decompressed) file; -1 for Parquet and Arrow
	Row    int64  // its number in the file from 0, for Parquet and Arrow; else -1
}

// RecordReader reads a split of a structured format as Arrow records. It is
// used by one goroutine; Close it.
type RecordReader struct {
	o     Options
	open  opener
	split Split
	lines *lineRecords // csv, json

	todo []Range
	cur  Range
	src  *watched   // of cur; parquet, arrow
	file recordFile // parquet, arrow; nil between files
	row  int64      // of the file: the next one's number
	last int64      // that of the first row that Next returned last
	read int64
}

// recordFile is one open file of a format other than lines.
type recordFile interface {
	// next returns a record that the caller releases, or io.EOF.
	next(ctx context.Context) (arrow.Record, error)
	close() error
}

// NewRecordReader reads s. Nothing is opened before Next.
func NewRecordReader(s Split, o Options) *RecordReader {
	o.setDefaults()
	r := &RecordReader{o: o, open: opener{store: o.Store}, split: s, todo: s.Ranges}
	if o.Format == "csv" || o.Format == "json" {
		r.lines = newLineRecords(s, o)
	}
	return r
}

// Next returns the next record and where it comes from, or io.EOF. The caller
// releases it; it stays valid after the next call. CSV and JSON have the schema
// of Split.Columns; the schema of Parquet and Arrow is each file's own.
func (r *RecordReader) Next(ctx context.Context) (arrow.Record, Pos, error) {
	if r.lines != nil {
		return r.lines.next(ctx)
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, Pos{}, err
		}
		if r.file == nil {
			if err := r.openNext(ctx); err != nil {
				return nil, Pos{}, err
			}
			continue
		}
		rec, err := contained(func() (arrow.Record, error) { return r.file.next(ctx) })
		switch {
		case err == nil:
			pos := Pos{File: r.cur.URL, Offset: -1, Row: r.row}
			r.last = r.row
			r.row += rec.NumRows()
			return rec, pos, nil
		case err == io.EOF:
			err = r.closeFile()
		default:
			err = r.broken(err)
		}
		if err != nil {
			return nil, Pos{}, err
		}
	}
}

// BadRow is row i of the record that Next returned last, as a bad one: for who
// finds fault with what its columns hold.
func (r *RecordReader) BadRow(i int, reason string) Bad {
	if r.lines != nil {
		file, off := r.lines.place(i)
		return Bad{File: file, Offset: off, Reason: reason}
	}
	return Bad{File: r.cur.URL, Offset: -1, Reason: fmt.Sprintf("row %d, from 0: %s", r.last+int64(i), reason)}
}

// Read is the stored input bytes read so far, for progress; of Parquet and
// Arrow, those of finished ranges.
func (r *RecordReader) Read() int64 {
	if r.lines != nil {
		return r.lines.blocks.Read()
	}
	return r.read
}

// Close releases the open file, if any.
func (r *RecordReader) Close() error {
	r.todo = nil
	if r.lines != nil {
		return r.lines.close()
	}
	return r.closeFile()
}

func (r *RecordReader) openNext(ctx context.Context) error {
	if len(r.todo) == 0 {
		return io.EOF
	}
	r.cur, r.todo = r.todo[0], r.todo[1:]
	src, err := r.open.open(r.cur.File, r.cur.Size)
	if err != nil {
		return err
	}
	r.src = &watched{source: src}
	f, err := contained(func() (recordFile, error) {
		switch r.o.Format {
		case "parquet":
			return openParquet(ctx, r.src, r.cur, r.o)
		case "fixed":
			return openFixed(ctx, r.src, r.cur, r.o)
		}
		return openArrow(ctx, r.src, r.cur, r.o)
	})
	if err != nil {
		src.close()
		return r.broken(err)
	}
	r.file, r.row = f, 0
	if p, ok := f.(*parquetFile); ok {
		r.row = p.first
	}
	return nil
}

func (r *RecordReader) closeFile() error {
	if r.file == nil {
		return nil
	}
	_, err := contained(func() (struct{}, error) { return struct{}{}, r.file.close() })
	r.file = nil
	r.read += r.cur.Length
	return err
}

// broken makes the rest of the file one bad record, unless the fault is not
// the file's.
func (r *RecordReader) broken(err error) error {
	if e := foreign(r.cur.File, r.src, err); e != nil {
		return e
	}
	closeErr := r.closeFile()
	bad := Bad{File: r.cur.URL, Offset: r.cur.Offset, Length: -1,
		Reason: fmt.Sprintf("the file is unreadable after %d rows: %v", r.row, err)}
	if err := r.o.report(bad); err != nil {
		return err
	}
	return closeErr
}

// foreign returns the error that is no fault of the file's content: the
// source's, the context's, the user's; else nil. err may hide the source's.
func foreign(f File, src *watched, err error) error {
	var user *core.Error
	switch {
	case src.err != nil:
		return readError(f.URL, src.err)
	case asError(err, &user):
		return user
	case isContext(err):
		return err
	}
	return nil
}

// contained turns a panic of a parser over foreign bytes into an error.
func contained[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its content is corrupt: %v", p)
		}
	}()
	return f()
}

// project picks named columns of a schema; nil picks all.
func project(s *arrow.Schema, columns []string, file string) ([]int, error) {
	if len(columns) == 0 {
		return nil, nil
	}
	pick := make([]int, 0, len(columns))
	for _, name := range columns {
		at := s.FieldIndices(name)
		if len(at) == 0 {
			var have []string
			for _, f := range s.Fields() {
				have = append(have, f.Name)
			}
			return nil, core.Errorf(core.Invalid, "%s has no column %q", file, name).At("spec.input.columns").
				Do("its columns are " + strings.Join(have, ", "))
		}
		pick = append(pick, at[0])
	}
	return pick, nil
}
