package graph

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// records reads a split of a structured format and hands each record to rows.
func (r *reader) records(ctx context.Context, s input.Split, rows func(arrow.Record, input.Pos) error) error {
	in := input.NewRecordReader(s, r.in)
	defer in.Close()
	for {
		rec, pos, err := in.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		r.taken += rec.NumRows()
		err = rows(rec, pos)
		rec.Release()
		if err != nil {
			return err
		}
	}
}

// edgeRows logs the edges of a record.
func (r *reader) edgeRows(rec arrow.Record, pos input.Pos) error {
	source, err := pick(rec, r.cfg.Source, 0, pos.File, "source")
	if err != nil {
		return err
	}
	target, err := pick(rec, r.cfg.Target, 1, pos.File, "target")
	if err != nil {
		return err
	}
	var weight arrow.Array
	if r.cfg.Weighted {
		if weight, err = pick(rec, r.cfg.Weight, 2, pos.File, "weight"); err != nil {
			return err
		}
	}
	for i := range int(rec.NumRows()) {
		if err := r.edgeRow(source, target, weight, i); err != nil {
			return err
		}
		if r.bad != "" {
			if err := r.reportRow(pos, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) edgeRow(source, target, weight arrow.Array, i int) error {
	w := 1.0
	if weight != nil {
		if w = r.weightAt(weight, i); r.bad != "" {
			return nil
		}
	}
	if r.text {
		s, t := r.textAt(source, i), r.textAt(target, i)
		if r.bad != "" {
			return nil
		}
		return r.edge(r.texts.number(s), r.texts.number(t), w)
	}
	a, b := r.intAt(source, i), r.intAt(target, i)
	if r.bad != "" {
		return nil
	}
	x, y, err := r.intIDs(a, b)
	if err != nil {
		return err
	}
	return r.edge(x, y, w)
}

// vertexRows logs the vertices of a record.
func (r *reader) vertexRows(rec arrow.Record, pos input.Pos) error {
	column, err := pick(rec, r.cfg.Vertices.Column, 0, pos.File, "vertex")
	if err != nil {
		return err
	}
	for i := range int(rec.NumRows()) {
		var v uint32
		if r.text {
			v = r.texts.number(r.textAt(column, i))
		} else if n := r.intAt(column, i); r.bad == "" {
			if v, err = r.intID(n); err != nil {
				return err
			}
		}
		if r.bad != "" {
			err = r.reportRow(pos, i)
		} else {
			err = r.alone(v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reportRow names a bad row by its number: formats without lines have no better
// place, and of lines only the first of a record is known.
func (r *reader) reportRow(pos input.Pos, i int) error {
	if pos.Row >= 0 {
		r.bad = fmt.Sprintf("row %d: %s", pos.Row+int64(i), r.bad)
	} else {
		r.bad = fmt.Sprintf("record %d from here: %s", i, r.bad)
	}
	return r.report(pos.File, pos.Offset, nil)
}

// pick is the column of that name; where nobody named one and there is none of
// the usual name, the one that stands where it usually does.
func pick(rec arrow.Record, name string, usual int, file, what string) (arrow.Array, error) {
	if at := rec.Schema().FieldIndices(name); len(at) > 0 {
		return rec.Column(at[0]), nil
	}
	if (name == what || name == "") && int(rec.NumCols()) > usual {
		return rec.Column(usual), nil
	}
	return nil, core.Errorf(core.Invalid, "%s has no column %q for the %s", file, name, what).At("spec.graph." + what).
		Do(fmt.Sprintf("name one of its columns: %v", columnNames(rec)))
}

func columnNames(rec arrow.Record) []string {
	names := make([]string, rec.NumCols())
	for i := range names {
		names[i] = rec.ColumnName(i)
	}
	return names
}

func (r *reader) intAt(a arrow.Array, i int) int64 {
	if a.IsNull(i) {
		r.bad = "an id is missing"
		return 0
	}
	switch a := a.(type) {
	case *array.Int64:
		return a.Value(i)
	case *array.Int32:
		return int64(a.Value(i))
	case *array.Uint32:
		return int64(a.Value(i))
	case *array.Int16:
		return int64(a.Value(i))
	case *array.Uint16:
		return int64(a.Value(i))
	case *array.Uint64:
		if v := a.Value(i); v < 1<<63 {
			return int64(v)
		}
		r.bad = fmt.Sprintf("%d is no integer id of 64 bits with a sign", a.Value(i))
		return 0
	}
	text := r.textAt(a, i)
	n, ok := parseInt(text)
	if !ok && r.bad == "" {
		r.badID(text)
	}
	return n
}

// textAt is valid as long as a is.
func (r *reader) textAt(a arrow.Array, i int) []byte {
	if a.IsNull(i) {
		r.bad = "an id is missing"
		return nil
	}
	switch a := a.(type) {
	case *array.String:
		return []byte(a.Value(i))
	case *array.LargeString:
		return []byte(a.Value(i))
	case *array.Binary:
		return a.Value(i)
	}
	return []byte(a.ValueStr(i))
}

func (r *reader) weightAt(a arrow.Array, i int) float64 {
	if a.IsNull(i) {
		r.bad = "a weight is missing"
		return 0
	}
	switch a := a.(type) {
	case *array.Float64:
		return a.Value(i)
	case *array.Float32:
		return float64(a.Value(i))
	case *array.Int64:
		return float64(a.Value(i))
	case *array.Int32:
		return float64(a.Value(i))
	}
	return r.number(r.textAt(a, i))
}
