package output

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/capstan-run/capstan/core"
)

// Fixed writes rows of one length without anything between them: the bytes of
// the key, then those of the value. A row of another length than the first is an
// error, since no reader could find its end.
type Fixed struct {
	out    lineBuffer
	length int // of a row; 0: none was written
}

func newFixed(w io.Writer, o Options) (*Fixed, error) {
	if err := needSchema(o); err != nil {
		return nil, err
	}
	for _, f := range o.Schema.Fields() {
		if t := f.Type.ID(); t != arrow.BINARY && t != arrow.STRING {
			return nil, core.Errorf(core.Invalid, "column %q is of type %s, and fixed output is of bytes", f.Name, f.Type).
				At("spec.output.format").Do("use text, csv, json, parquet or arrow")
		}
	}
	f := new(Fixed)
	return f, f.out.open(w, o.Compression)
}

// WriteKV writes a row.
func (f *Fixed) WriteKV(key, value []byte) error {
	if n := len(key) + len(value); n != f.length || n == 0 {
		if err := f.first(n); err != nil {
			return err
		}
	}
	f.out.buf = append(append(f.out.buf, key...), value...)
	return f.out.full()
}

// first sets the length of rows, if there was none yet.
func (f *Fixed) first(n int) error {
	if f.length != 0 || n == 0 {
		return core.Errorf(core.Failed, "a row of %d bytes after rows of %d", n, f.length).At("spec.output.format").
			Do("let all keys with their values have one length, or write arrow or parquet")
	}
	f.length = n
	return nil
}

func (f *Fixed) Write(rec arrow.Record) error {
	cell := make([]func(int) []byte, 2)
	for i := range cell {
		cell[i] = func(int) []byte { return nil }
	}
	for i, c := range rec.Columns() {
		switch c := c.(type) {
		case *array.Binary:
			cell[i] = c.Value
		case *array.String:
			cell[i] = func(row int) []byte { return []byte(c.Value(row)) }
		default:
			return fmt.Errorf("fixed output of a column of type %s", c.DataType())
		}
	}
	for row := range int(rec.NumRows()) {
		if err := f.WriteKV(cell[0](row), cell[1](row)); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fixed) Close() error { return f.out.Close() }
