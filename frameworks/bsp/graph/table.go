package graph

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// table is a record of a structured format, and where it comes from.
type table struct {
	arrow.Record
	file string
	in   *input.RecordReader
}

// records reads a split of a structured format and hands each record to rows.
func (r *reader) records(ctx context.Context, s input.Split, rows func(table) error) error {
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
		err = rows(table{rec, pos.File, in})
		rec.Release()
		if err != nil {
			return err
		}
	}
}

// edgeRows logs the edges of a record.
func (r *reader) edgeRows(t table) error {
	columns, err := r.columns(t)
	if err != nil {
		return err
	}
	source, target := columns[0], columns[1]
	var weight arrow.Array
	if r.cfg.Weighted {
		weight = columns[2]
	}
	if took, err := r.plainRows(source, target, weight); took || err != nil {
		return err
	}
	for i := range int(t.NumRows()) {
		if err := r.edgeRow(source, target, weight, i); err != nil {
			return err
		}
		if err := r.reportRow(t, i); err != nil {
			return err
		}
	}
	return nil
}

// plainRows logs the edges of whole columns: ids below absent that are their
// own numbers, and weights of 64 bits. It reports whether that is what the
// columns hold; else none was logged.
func (r *reader) plainRows(source, target, weight arrow.Array) (bool, error) {
	if r.text || r.ints != nil {
		return false, nil
	}
	s, most, ok := plainIDs(r.plain[0][:0], source, r.most)
	if !ok {
		return false, nil
	}
	t, most, ok := plainIDs(r.plain[1][:0], target, most)
	if !ok {
		return false, nil
	}
	r.plain = [2][]uint32{s, t}
	var w []float64
	if weight != nil {
		column, ok := weight.(*array.Float64)
		if !ok || column.NullN() > 0 || slices.ContainsFunc(column.Float64Values(), math.IsNaN) {
			return false, nil
		}
		w = column.Float64Values()
	}
	r.most = most
	return true, r.edges(s, t, w)
}

// plainIDs appends the ids of a column to ids, and reports whether all are
// numbers below absent. most is the greatest of them and the most before.
func plainIDs(ids []uint32, column arrow.Array, most uint32) ([]uint32, uint32, bool) {
	if column.NullN() > 0 {
		return ids, most, false
	}
	switch column := column.(type) {
	case *array.Int64:
		return plainNumbers(ids, column.Int64Values(), most)
	case *array.Int32:
		return plainNumbers(ids, column.Int32Values(), most)
	case *array.Uint32:
		return plainNumbers(ids, column.Uint32Values(), most)
	case *array.Uint64:
		return plainNumbers(ids, column.Uint64Values(), most)
	}
	return ids, most, false
}

func plainNumbers[T int32 | uint32 | int64 | uint64](ids []uint32, values []T, most uint32) ([]uint32, uint32, bool) {
	for _, v := range values {
		if uint64(v) >= uint64(absent) { // negative ones are
			return ids, most, false
		}
		ids = append(ids, uint32(v))
		most = max(most, uint32(v))
	}
	return ids, most, true
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
func (r *reader) vertexRows(t table) error {
	column, err := r.cfg.Vertices.columns(t)
	if err != nil {
		return err
	}
	for i := range int(t.NumRows()) {
		if err := r.vertexRow(column[0], i); err != nil {
			return err
		}
		if err := r.reportRow(t, i); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) vertexRow(column arrow.Array, i int) error {
	if r.text {
		name := r.textAt(column, i)
		if r.bad != "" {
			return nil
		}
		return r.alone(r.texts.number(name))
	}
	id := r.intAt(column, i)
	if r.bad != "" {
		return nil
	}
	v, err := r.intID(id)
	if err != nil {
		return err
	}
	return r.alone(v)
}

// reportRow reports row i of t if it has proved bad.
func (r *reader) reportRow(t table, i int) error {
	if r.bad == "" {
		return nil
	}
	bad := t.in.BadRow(i, r.bad)
	r.bad = ""
	return r.tell(bad)
}

// columns are those of source and target, and of weight where edges have one.
func (r *reader) columns(t table) ([]arrow.Array, error) {
	list := []wanted{{"source", r.cfg.Source, "source"}, {"target", r.cfg.Target, "target"}}
	if r.cfg.Weighted {
		list = append(list, wanted{"weight", r.cfg.Weight, "weight"})
	}
	return pick(t, list)
}

// columns is the one of the ids.
func (v VertexInput) columns(t table) ([]arrow.Array, error) {
	return pick(t, []wanted{{"vertices", v.Column, ""}})
}

// wanted is a column: what it is for, its name, and the name it has if nobody
// gave it one.
type wanted struct{ what, name, usual string }

// pick finds columns by their names. Where nobody named one and there is none of
// the usual name, it is the one that stands where it usually does, unless that is
// another one by its name.
func pick(t table, list []wanted) ([]arrow.Array, error) {
	at, taken := make([]int, len(list)), map[int]bool{}
	for i, w := range list {
		at[i] = -1
		if found := t.Schema().FieldIndices(w.name); len(found) > 0 {
			at[i] = found[0]
			taken[found[0]] = true
		}
	}
	columns := make([]arrow.Array, len(list))
	for i, w := range list {
		if at[i] < 0 && w.name == w.usual && i < int(t.NumCols()) && !taken[i] {
			at[i] = i
		}
		if at[i] < 0 {
			return nil, core.Errorf(core.Invalid, "%s has no column %q for the %s", t.file, w.name, w.what).At("spec.graph." + w.what).
				Do(fmt.Sprintf("name one of its columns: %v", columnNames(t)))
		}
		columns[i] = t.Column(at[i])
	}
	return columns, nil
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
		return r.real(a.Value(i))
	case *array.Float32:
		return r.real(float64(a.Value(i)))
	case *array.Int64:
		return float64(a.Value(i))
	case *array.Int32:
		return float64(a.Value(i))
	}
	return r.number(r.textAt(a, i))
}

// real is a weight that is a number.
func (r *reader) real(w float64) float64 {
	if math.IsNaN(w) {
		r.bad = "NaN is no weight"
	}
	return w
}
