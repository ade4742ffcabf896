package work

import (
	"bytes"
	"context"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
)

// blockMapper is m as a mapper of lines.
func blockMapper(m Mapper) BlockMapper {
	if b, ok := m.(BlockMapper); ok {
		return b
	}
	return &linesAsRecords{to: m.(RecordMapper)}
}

// recordMapper is m as a mapper of records.
func recordMapper(m Mapper) RecordMapper {
	if r, ok := m.(RecordMapper); ok {
		return r
	}
	return &recordsAsLines{to: m.(BlockMapper)}
}

// lineSchema is that of text lines as records.
var lineSchema = arrow.NewSchema([]arrow.Field{{Name: "line", Type: arrow.BinaryTypes.String}}, nil)

// linesAsRecords hands each block on as one record of a column "line".
type linesAsRecords struct {
	to  RecordMapper
	col byteColumn
}

func (l *linesAsRecords) Block(ctx context.Context, b input.Block, out Emitter) error {
	l.col.reset()
	for _, line := range b.Lines() {
		l.col.add(line)
	}
	column := l.col.array(arrow.BinaryTypes.String)
	defer column.Release()
	rec := array.NewRecord(lineSchema, []arrow.Array{column}, int64(column.Len()))
	defer rec.Release()
	return l.to.Record(ctx, rec, out)
}

// recordsAsLines hands each record on as lines of JSON, one object a row.
type recordsAsLines struct {
	to  BlockMapper
	buf bytes.Buffer
}

func (r *recordsAsLines) Record(ctx context.Context, rec arrow.Record, out Emitter) error {
	r.buf.Reset()
	w, err := output.New(&r.buf, output.Options{Format: "json", Schema: rec.Schema()})
	if err != nil {
		return err
	}
	if err := w.Write(rec); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return r.to.Block(ctx, input.Block{Data: r.buf.Bytes()}, out)
}
