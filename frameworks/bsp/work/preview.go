package work

import (
	"container/heap"
	"slices"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/capstan-run/capstan/frameworks/bsp/spec"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
)

// preview keeps the first rows of a rank, by value or by key, for the job's
// report: a heap whose root is the row to go next. The key is a row's first
// column, the value its last. A nil preview keeps nothing.
type preview struct {
	limit int
	byKey bool
	desc  bool
	rows  []task.PreviewRow
}

func newPreview(p *spec.Preview) *preview {
	if p == nil {
		return nil
	}
	return &preview{limit: p.Limit, byKey: p.By == "key", desc: p.Order == "descending"}
}

// pair looks at a row of texts. One that cannot be among the first is not copied.
func (p *preview) pair(key, value []byte, numericKey bool) {
	var row task.PreviewRow
	row.Num, row.IsNum = parse(value)
	if row.IsNum && !p.byKey && p.full() && p.beyond(row.Num) {
		return
	}
	row.Key, row.Value = string(key), string(value)
	if numericKey {
		n, err := strconv.ParseInt(row.Key, 10, 64)
		row.KeyNum, row.KeyIsNumeric = n, err == nil
	}
	p.offer(row)
}

// record looks at the rows of rec. Where the last column is of numbers those
// that cannot be among the first cost one comparison.
func (p *preview) record(rec arrow.Record) {
	if rec.NumCols() == 0 {
		return
	}
	keys, values := rec.Column(0), rec.Column(int(rec.NumCols())-1)
	number := numbers(values)
	for i := range int(rec.NumRows()) {
		if values.IsNull(i) {
			continue
		}
		row := task.PreviewRow{}
		if number != nil {
			row.Num, row.IsNum = number(i), true
			if !p.byKey && p.full() && p.beyond(row.Num) {
				continue
			}
		}
		row.Key, row.Value = cell(keys, i), cell(values, i)
		if k, ok := keys.(*array.Int64); ok {
			row.KeyNum, row.KeyIsNumeric = k.Value(i), true
		}
		p.offer(row)
	}
}

func (p *preview) full() bool { return len(p.rows) == p.limit }

// beyond reports whether a number is shown after all rows there are.
func (p *preview) beyond(v float64) bool {
	last := p.rows[0]
	if !last.IsNum {
		return false
	}
	if p.desc {
		return v < last.Num
	}
	return v > last.Num
}

func (p *preview) offer(r task.PreviewRow) {
	switch {
	case !p.full():
		heap.Push(p, r)
	case p.compare(r, p.rows[0]) < 0:
		p.rows[0] = r
		heap.Fix(p, 0)
	}
}

func (p *preview) compare(a, b task.PreviewRow) int { return task.Compare(a, b, p.byKey, p.desc) }

// list is the rows, in no order.
func (p *preview) list() []task.PreviewRow {
	if p == nil {
		return nil
	}
	return slices.Clone(p.rows)
}

// restart forgets all rows but those.
func (p *preview) restart(rows []task.PreviewRow) {
	if p == nil {
		return
	}
	p.rows = nil
	for _, r := range rows {
		p.offer(r)
	}
}

// numbers reads a column of numbers; nil for another.
func numbers(col arrow.Array) func(i int) float64 {
	switch col := col.(type) {
	case *array.Float64:
		return col.Value
	case *array.Float32:
		return func(i int) float64 { return float64(col.Value(i)) }
	case *array.Int64:
		return func(i int) float64 { return float64(col.Value(i)) }
	case *array.Int32:
		return func(i int) float64 { return float64(col.Value(i)) }
	case *array.Uint64:
		return func(i int) float64 { return float64(col.Value(i)) }
	case *array.Uint32:
		return func(i int) float64 { return float64(col.Value(i)) }
	}
	return nil
}

func cell(col arrow.Array, i int) string {
	switch col := col.(type) {
	case *array.Float64:
		return strconv.FormatFloat(col.Value(i), 'g', -1, 64)
	case *array.String:
		return col.Value(i)
	case *array.Binary:
		return string(col.Value(i))
	}
	return col.ValueStr(i)
}

func parse(b []byte) (float64, bool) {
	if len(b) == 0 || len(b) > 32 {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(b), 64)
	return v, err == nil && v == v
}

func (p *preview) Len() int           { return len(p.rows) }
func (p *preview) Less(i, j int) bool { return p.compare(p.rows[i], p.rows[j]) > 0 }
func (p *preview) Swap(i, j int)      { p.rows[i], p.rows[j] = p.rows[j], p.rows[i] }
func (p *preview) Push(x any)         { p.rows = append(p.rows, x.(task.PreviewRow)) }
func (p *preview) Pop() any {
	last := p.rows[len(p.rows)-1]
	p.rows = p.rows[:len(p.rows)-1]
	return last
}
