package block

import (
	"fmt"
	"sync/atomic"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// record is a record batch whose columns were made to fit its schema. That of
// arrow compares their types once more, by reflection, which for a small batch
// takes longer than its checks do.
type record struct {
	refs   atomic.Int64
	schema *arrow.Schema
	rows   int64
	cols   []arrow.Array // owned; nil after the last release
}

func newRecord(schema *arrow.Schema, rows int64) *record {
	r := &record{schema: schema, rows: rows, cols: make([]arrow.Array, 0, schema.NumFields())}
	r.refs.Store(1)
	return r
}

func (r *record) Retain() { r.refs.Add(1) }

func (r *record) Release() {
	if r.refs.Add(-1) > 0 {
		return
	}
	for _, c := range r.cols {
		c.Release()
	}
	r.cols = nil
}

func (r *record) Schema() *arrow.Schema    { return r.schema }
func (r *record) NumRows() int64           { return r.rows }
func (r *record) NumCols() int64           { return int64(len(r.cols)) }
func (r *record) Columns() []arrow.Array   { return r.cols }
func (r *record) Column(i int) arrow.Array { return r.cols[i] }
func (r *record) ColumnName(i int) string  { return r.schema.Field(i).Name }

// SetColumn, NewSlice and the rest are arrow's.

func (r *record) SetColumn(i int, col arrow.Array) (arrow.Record, error) {
	p := r.plain()
	defer p.Release()
	return p.SetColumn(i, col)
}

func (r *record) NewSlice(i, j int64) arrow.Record {
	p := r.plain()
	defer p.Release()
	return p.NewSlice(i, j)
}

func (r *record) MarshalJSON() ([]byte, error) {
	p := r.plain()
	defer p.Release()
	return p.MarshalJSON()
}

func (r *record) String() string {
	p := r.plain()
	defer p.Release()
	return fmt.Sprint(p)
}

// plain returns the same record as arrow makes it.
func (r *record) plain() arrow.Record {
	return array.NewRecord(r.schema, r.cols, r.rows)
}
