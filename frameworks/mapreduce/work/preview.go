package work

import (
	"bytes"
	"cmp"
	"container/heap"
	"slices"

	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// preview keeps the first rows of a part, by value or by key, for the job's
// report: a heap whose root is the row to go next.
type preview struct {
	limit int
	byKey bool
	desc  bool
	kinds Kinds
	rows  []previewRow
	text  []byte
}

type previewRow struct {
	key   []byte
	value []byte
	num   float64
	isNum bool
}

func newPreview(p *spec.Preview, kinds Kinds) *preview {
	limit := p.Limit
	if limit <= 0 {
		limit = spec.DefaultPreview
	}
	return &preview{limit: limit, byKey: p.By == "key", desc: p.Order != "ascending", kinds: kinds}
}

func (p *preview) number(key []byte, num float64, v int64) {
	if p.wants(key, nil, num, true) {
		p.text = appendWholeText(p.text[:0], v, p.kinds.Value)
		p.push(previewRow{key, p.text, num, true})
	}
}

func (p *preview) float(key []byte, v float64) {
	if p.wants(key, nil, v, true) {
		p.text = appendFloatText(p.text[:0], v)
		p.push(previewRow{key, p.text, v, true})
	}
}

func (p *preview) bytes(key, value []byte) {
	num, isNum := 0.0, false
	if len(value) > 0 && len(value) <= 32 && (isDigit(value[len(value)-1]) || value[len(value)-1] == '.') {
		if text, _ := numberText(value); len(text) == len(value) {
			num, isNum = parseNumber(text), true
		}
	}
	if p.wants(key, value, num, isNum) {
		p.push(previewRow{key, value, num, isNum})
	}
}

func (p *preview) wants(key, value []byte, num float64, isNum bool) bool {
	return len(p.rows) < p.limit || p.compare(previewRow{key, value, num, isNum}, p.rows[0]) < 0
}

func (p *preview) push(r previewRow) {
	r.key, r.value = bytes.Clone(r.key), bytes.Clone(r.value)
	if len(p.rows) == p.limit {
		p.rows[0] = r
		heap.Fix(p, 0)
		return
	}
	heap.Push(p, r)
}

// compare is negative if a is shown before b. Rows with numbers come before
// others; ties go by key, then by value.
func (p *preview) compare(a, b previewRow) int {
	c := 0
	switch {
	case p.byKey:
	case a.isNum != b.isNum:
		if a.isNum {
			return -1
		}
		return 1
	case a.isNum:
		c = cmp.Compare(a.num, b.num)
	default:
		c = bytes.Compare(a.value, b.value)
	}
	if p.byKey {
		c = bytes.Compare(a.key, b.key)
	}
	if p.desc {
		c = -c
	}
	return cmp.Or(c, bytes.Compare(a.key, b.key), bytes.Compare(a.value, b.value))
}

// list is the rows in the order to show.
func (p *preview) list() []task.PreviewRow {
	if p == nil {
		return nil
	}
	slices.SortFunc(p.rows, p.compare)
	out := make([]task.PreviewRow, len(p.rows))
	for i, r := range p.rows {
		out[i] = task.PreviewRow{
			Key:   string(appendKeyText(nil, r.key, p.kinds.Key)),
			Value: string(r.value), Num: r.num, IsNum: r.isNum,
		}
		if !p.kinds.Key.bytes() {
			out[i].Sort = r.key
		}
	}
	return out
}

func (p *preview) Len() int           { return len(p.rows) }
func (p *preview) Less(i, j int) bool { return p.compare(p.rows[i], p.rows[j]) > 0 }
func (p *preview) Swap(i, j int)      { p.rows[i], p.rows[j] = p.rows[j], p.rows[i] }
func (p *preview) Push(x any)         { p.rows = append(p.rows, x.(previewRow)) }
func (p *preview) Pop() any {
	last := p.rows[len(p.rows)-1]
	p.rows = p.rows[:len(p.rows)-1]
	return last
}
