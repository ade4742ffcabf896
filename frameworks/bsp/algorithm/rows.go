package algorithm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// rows reads a rank's splits as rows: some keys, then numbers.
//
//	text            fields between blanks, tabs and commas: the keys, then the
//	                numbers; "#" begins a comment
//	csv, json       a column for each key, the others are numbers
//	parquet, arrow  the same; a column of lists stands for their elements
type rows struct {
	peer    *peer.Peer
	keys    []string // columns of keys; of text only their number counts
	columns []string // of numbers, in this order; nil: all that are no keys, as they come
	again   bool     // they were read before: faults have been told

	key    [][]byte
	values []float64
	taken  int64 // rows, faulty ones too
}

// each calls f with the keys and numbers of each row, in the order of the
// splits. f keeps neither. An error of f with a *rowFault in its chain is the
// row's.
func (r *rows) each(ctx context.Context, f func(keys [][]byte, values []float64) error) error {
	in := r.peer.Reading()
	if r.again {
		in.Bad = func(input.Bad) error { return nil }
	}
	for _, split := range r.peer.Splits() {
		var err error
		switch in.Format {
		case "", "text":
			err = r.text(ctx, split, in, f)
		case "csv", "json", "parquet", "arrow":
			err = r.records(ctx, split, in, f)
		default:
			err = core.Errorf(core.Invalid, "rows of numbers cannot be read from records of %s", in.Format).
				At("spec.input.format").Do("use text, csv, json, parquet or arrow")
		}
		if err != nil {
			return err
		}
	}
	if !r.again && r.peer.Superstep() == 0 { // else they have been counted
		r.peer.ReadRecords(r.taken)
	}
	return nil
}

// rowFault is what is wrong with one row.
type rowFault struct{ reason string }

func (e *rowFault) Error() string { return e.reason }

func faultf(format string, a ...any) error { return &rowFault{fmt.Sprintf(format, a...)} }

// judge reports a faulty row as the input's options want it.
func judge(in input.Options, bad input.Bad, err error) error {
	var fault *rowFault
	if !errors.As(err, &fault) {
		return err
	}
	bad.Reason += fault.reason
	if in.Bad == nil {
		return bad.Err()
	}
	return in.Bad(bad)
}

func (r *rows) text(ctx context.Context, s input.Split, in input.Options, f func([][]byte, []float64) error) error {
	reader := input.NewBlockReader(s, in)
	defer reader.Close()
	for {
		b, err := reader.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for at, line := range b.Lines() {
			fields := fieldsOf(line)
			if len(fields) == 0 {
				continue
			}
			r.taken++
			err := r.line(fields, f)
			if err == nil {
				continue
			}
			bad := input.Bad{File: b.File, Offset: at, Length: int64(len(line)), Sample: bytes.Clone(line[:min(len(line), input.SampleSize)])}
			if err := judge(in, bad, err); err != nil {
				return err
			}
		}
	}
}

// fieldsOf cuts a line at blanks, tabs and commas, up to a comment.
func fieldsOf(line []byte) [][]byte {
	if i := bytes.IndexByte(line, '#'); i >= 0 {
		line = line[:i]
	}
	return bytes.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\t' || c == ',' })
}

func (r *rows) line(fields [][]byte, f func([][]byte, []float64) error) error {
	if len(fields) < len(r.keys) {
		return faultf("%d fields, and %s should be there", len(fields), strings.Join(r.keys, ", "))
	}
	r.values = r.values[:0]
	for _, field := range fields[len(r.keys):] {
		x, err := strconv.ParseFloat(unsafe.String(&field[0], len(field)), 64)
		if err != nil {
			return faultf("%q is no number", field)
		}
		r.values = append(r.values, x)
	}
	return f(fields[:len(r.keys)], r.values)
}

func (r *rows) records(ctx context.Context, s input.Split, in input.Options, f func([][]byte, []float64) error) error {
	reader := input.NewRecordReader(s, in)
	defer reader.Close()
	for {
		rec, pos, err := reader.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		err = r.record(rec, reader, pos, in, f)
		rec.Release()
		if err != nil {
			return err
		}
	}
}

func (r *rows) record(rec arrow.Record, from *input.RecordReader, pos input.Pos, in input.Options, f func([][]byte, []float64) error) error {
	keys, numbers, err := r.choose(rec, pos)
	if err != nil {
		return err
	}
	r.taken += rec.NumRows()
	for i := range int(rec.NumRows()) {
		err := r.row(keys, numbers, i)
		if err == nil {
			err = f(r.key, r.values)
		}
		if err == nil {
			continue
		}
		if err := judge(in, from.BadRow(i, ""), err); err != nil {
			return err
		}
	}
	return nil
}

// choose finds the columns of the keys and numbers.
func (r *rows) choose(rec arrow.Record, pos input.Pos) (keys, numbers []arrow.Array, err error) {
	used := map[int]bool{}
	column := func(name string) (arrow.Array, error) {
		at := rec.Schema().FieldIndices(name)
		if len(at) == 0 {
			return nil, core.Errorf(core.Invalid, "%s has no column %q", pos.File, name).At("spec.algorithm.with").
				Do("name a column of the input: " + columnNames(rec.Schema()))
		}
		used[at[0]] = true
		return rec.Column(at[0]), nil
	}
	for _, name := range r.keys {
		a, err := column(name)
		if err != nil {
			return nil, nil, err
		}
		keys = append(keys, a)
	}
	for _, name := range r.columns {
		a, err := column(name)
		if err != nil {
			return nil, nil, err
		}
		numbers = append(numbers, a)
	}
	if len(r.columns) == 0 {
		for i := range int(rec.NumCols()) {
			if !used[i] {
				numbers = append(numbers, rec.Column(i))
			}
		}
	}
	return keys, numbers, nil
}

func columnNames(schema *arrow.Schema) string {
	var names []string
	for _, f := range schema.Fields() {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// row reads row i of the columns.
func (r *rows) row(keys, numbers []arrow.Array, i int) error {
	r.key, r.values = r.key[:0], r.values[:0]
	for k, a := range keys {
		if a.IsNull(i) {
			return faultf("%s is null", r.keys[k])
		}
		r.key = append(r.key, []byte(a.ValueStr(i)))
	}
	for _, a := range numbers {
		if err := r.number(a, i); err != nil {
			return err
		}
	}
	return nil
}

// number appends the number, or the numbers of the list, at i.
func (r *rows) number(a arrow.Array, i int) error {
	if a.IsNull(i) {
		return faultf("a number is null")
	}
	switch a := a.(type) {
	case *array.Float64:
		r.values = append(r.values, a.Value(i))
	case *array.Float32:
		r.values = append(r.values, float64(a.Value(i)))
	case array.ListLike:
		from, to := a.ValueOffsets(i)
		for j := from; j < to; j++ {
			if err := r.number(a.ListValues(), int(j)); err != nil {
				return err
			}
		}
	default:
		x, err := strconv.ParseFloat(strings.TrimSpace(a.ValueStr(i)), 64)
		if err != nil {
			return faultf("%q is no number", a.ValueStr(i))
		}
		r.values = append(r.values, x)
	}
	return nil
}
