package input

import (
	"bytes"
	"context"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/core"
)

// lineRecords reads CSV and JSON lines: blocks of lines, parsed into columns. A
// batch may span files.
type lineRecords struct {
	o      Options
	split  Split
	blocks *BlockReader
	parse  lineParser
	build  *array.RecordBuilder
	rows   int
	bytes  int        // of the batch's lines
	starts []int64    // of each row of the batch: its offset
	files  []lineFile // of the batch
	block  Block
	off    int64  // in the file, of rest
	rest   []byte // of the block
	done   bool
}

// lineFile is a file, and the first row of a batch that is of it.
type lineFile struct {
	url string
	row int
}

// batchBytes is how many bytes of lines end a batch, whatever its rows: a batch
// of long ones must fit in memory, too (law I3).
const batchBytes = 8 << 20

// lineParser takes one line apart and appends it to a builder.
type lineParser interface {
	// parse appends a row and reports whether line held one. The error is the
	// reason why the record is bad; then nothing is appended.
	parse(b *array.RecordBuilder, file string, off int64, line []byte) (bool, error)
}

func newLineRecords(s Split, o Options) *lineRecords {
	if o.Format == "csv" && !o.NoHeader && o.Bad != nil {
		o.Bad = guardHeader(o.Bad)
	}
	return &lineRecords{o: o, split: s, blocks: NewBlockReader(s, o)}
}

// start makes the schema, from the split or, without Plan, from its files.
func (l *lineRecords) start(ctx context.Context) error {
	cols := l.split.Columns
	if len(cols) == 0 {
		files := make([]File, len(l.split.Ranges))
		for i, r := range l.split.Ranges {
			files[i] = r.File
		}
		var err error
		if cols, err = Infer(ctx, files, l.o); err != nil {
			return err
		}
	}
	l.build = array.NewRecordBuilder(memory.DefaultAllocator, SchemaOf(cols))
	if l.o.Format == "csv" {
		l.parse = &csvParser{o: l.o, cols: cols}
	} else {
		l.parse = newJSONParser(cols)
	}
	return nil
}

// SchemaOf is the schema of records with these columns; each may be null.
func SchemaOf(cols []Column) *arrow.Schema {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = arrow.Field{Name: c.Name, Nullable: true, Type: arrow.BinaryTypes.String}
		switch c.Type {
		case "int64":
			fields[i].Type = arrow.PrimitiveTypes.Int64
		case "float64":
			fields[i].Type = arrow.PrimitiveTypes.Float64
		case "bool":
			fields[i].Type = arrow.FixedWidthTypes.Boolean
		}
	}
	return arrow.NewSchema(fields, nil)
}

func (l *lineRecords) next(ctx context.Context) (arrow.Record, Pos, error) {
	if l.build == nil {
		if err := l.start(ctx); err != nil {
			return nil, Pos{}, err
		}
	}
	l.starts, l.files = l.starts[:0], l.files[:0]
	for l.rows < l.o.BatchRows && l.bytes < batchBytes && !l.done {
		if len(l.rest) > 0 {
			if err := l.line(); err != nil {
				return nil, Pos{}, err
			}
			continue
		}
		b, err := l.blocks.Next(ctx)
		if err == io.EOF {
			l.done = true
		} else if err != nil {
			return nil, Pos{}, err
		}
		l.block, l.off, l.rest = b, b.Offset, b.Data
	}
	if l.rows == 0 {
		return nil, Pos{}, io.EOF
	}
	l.rows, l.bytes = 0, 0
	return l.build.NewRecord(), Pos{File: l.files[0].url, Offset: l.starts[0], Row: -1}, nil
}

// place is where row i of the last batch begins.
func (l *lineRecords) place(i int) (file string, off int64) {
	for _, f := range l.files {
		if f.row <= i {
			file = f.url
		}
	}
	return file, l.starts[i]
}

// line parses the next line of the block.
func (l *lineRecords) line() error {
	n := bytes.IndexByte(l.rest, '\n') + 1
	raw, off := trimCR(l.rest[:n-1]), l.off
	l.rest, l.off = l.rest[n:], l.off+int64(n)
	line := trimBOM(off, raw)
	ok, err := l.parse.parse(l.build, l.block.File, off, line)
	if err != nil {
		var user *core.Error
		if asError(err, &user) {
			return err
		}
		return l.o.report(Bad{File: l.block.File, Offset: off, Length: int64(len(raw)), Reason: err.Error(), Sample: sample(raw)})
	}
	if ok {
		if n := len(l.files); n == 0 || l.files[n-1].url != l.block.File {
			l.files = append(l.files, lineFile{l.block.File, l.rows})
		}
		l.starts = append(l.starts, off)
		l.rows++
		l.bytes += len(line)
	}
	return nil
}

func (l *lineRecords) close() error {
	if l.build != nil {
		l.build.Release()
		l.build = nil
	}
	l.done, l.rest = true, nil
	return l.blocks.Close()
}

// trimBOM drops the byte order mark at the front of a file.
func trimBOM(off int64, line []byte) []byte {
	if off == 0 {
		return bytes.TrimPrefix(line, byteOrderMark)
	}
	return line
}
