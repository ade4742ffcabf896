package partition

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/bitutil"

	"github.com/capstan-run/capstan/shuffle/block"
)

// Group gathers records and moves all their rows at once, each value straight
// to its place in the body of its partition's batch: one batch a partition,
// however small the records were. It counts while it gathers, so that the
// places are known before the first value moves.
//
//	Add(record, ids) …  →  Plan: sizes and places  →  Scatter into the image  →  Reset
//
// It is not safe for concurrent use.
type Group struct {
	schema *arrow.Schema
	parts  int
	shape  block.Shape
	roots  []*field
	fields []*field // all of them, depth first
	dicts  []*Dictionary
	rows   []int64 // by partition
	recs   []gathered
	total  int64 // rows
	held   int64 // bytes
	hasher block.RowHasher
	inner  [][]int32 // scratch: numbers of list elements, by depth
	sorted []rows    // scratch, by depth
}

// gathered is a record with the partitions of its rows.
type gathered struct {
	rec    arrow.Record
	ids    []int32
	remaps [][]int32 // by dictionary: its indices to those of the group
}

// field is one array of the schema: what is known of it over all records.
type field struct {
	dt       arrow.DataType
	layout   block.Layout
	children []*field
	array    int // its number, depth first
	buffer   int // the number of its first buffer
	dict     int // the number of its dictionary
	counts   []int64
	nulls    []int64 // by partition; nil while there was none
	ends     []int64 // bytes of strings, by partition
	valid    []int   // where the next validity bit goes, by partition; -1 for nowhere
	next     []cursor
}

// cursor is where the next value of a partition goes, in bytes of the image;
// slot is in bits for arrays of bits. end is the last offset written: to read
// it back from the image would wait for the memory.
type cursor struct{ slot, data, end int }

// NewGroup returns an empty group for p partitions of schema, which must pass
// [block.CheckSchema].
func NewGroup(schema *arrow.Schema, p int) (*Group, error) {
	if err := block.CheckSchema(schema); err != nil {
		return nil, err
	}
	g := &Group{schema: schema, parts: p, rows: make([]int64, p)}
	for _, t := range block.Dictionaries(schema) {
		g.dicts = append(g.dicts, NewDictionary(t))
	}
	dict := 0
	for _, f := range schema.Fields() {
		root := g.newField(f.Type, &dict)
		root.counts = g.rows
		g.roots = append(g.roots, root)
	}
	g.shape = block.ShapeOf(schema)
	g.share()
	return g, nil
}

func (g *Group) newField(dt arrow.DataType, dict *int) *field {
	l, err := block.LayoutOf(dt)
	if err != nil {
		panic("partition: a group of an unchecked schema: " + err.Error())
	}
	f := &field{dt: dt, layout: l, array: len(g.fields)}
	if n := len(g.fields); n > 0 {
		before := g.fields[n-1]
		f.buffer = before.buffer + before.layout.Buffers()
	}
	g.fields = append(g.fields, f)
	switch l.Form {
	case block.FormBinary, block.FormLarge:
		f.ends = make([]int64, g.parts)
	case block.FormDictionary:
		f.dict = *dict
		*dict++
	}
	for _, c := range l.Children {
		f.children = append(f.children, g.newField(c.Type, dict))
	}
	return f
}

// share gives the children of structs the counts of their parents, and the
// elements of lists counts of their own.
func (g *Group) share() {
	for _, f := range g.fields {
		for _, c := range f.children {
			if f.layout.Form == block.FormStruct {
				c.counts = f.counts
			} else {
				c.counts = make([]int64, g.parts)
			}
		}
	}
}

// Rows returns the rows gathered.
func (g *Group) Rows() int64 { return g.total }

// Held returns about how many bytes the group holds: the records' own, as far
// as their rows reach, and the numbers of their partitions.
func (g *Group) Held() int64 { return g.held }

// Add takes rec, whose row i belongs to partition ids[i]. It retains rec until
// Reset, and copies ids. After an error the group is as it was, but for
// dictionaries.
func (g *Group) Add(rec arrow.Record, ids []int32) error {
	if len(ids) != int(rec.NumRows()) {
		return fmt.Errorf("scatter %d rows with %d partition numbers", rec.NumRows(), len(ids))
	}
	for i, id := range ids {
		if uint(id) >= uint(g.parts) {
			return fmt.Errorf("scatter row %d into partition %d of %d", i, id, g.parts)
		}
	}
	if !rec.Schema().Equal(g.schema) {
		return fmt.Errorf("record's schema differs from the exchange's:\n%s\nwant:\n%s", rec.Schema(), g.schema)
	}
	r := gathered{rec: rec, ids: append([]int32(nil), ids...)}
	for i, d := range block.RecordDictionaries(rec) {
		remap, err := g.dicts[i].merge(d)
		if err != nil {
			return err
		}
		r.remaps = append(r.remaps, remap)
	}
	rec.Retain()
	g.recs = append(g.recs, r)
	g.total += rec.NumRows()
	for _, id := range ids {
		g.rows[id]++
	}
	for i, f := range g.roots {
		d := rec.Column(i).Data()
		g.count(f, d, d.Offset(), r.ids, 0)
	}
	g.held += RecordSize(rec) + 4*int64(len(ids))
	return nil
}

// Reset releases the records and empties the group. Dictionaries stay: their
// indices go on where they were.
func (g *Group) Reset() {
	for _, r := range g.recs {
		r.rec.Release()
	}
	clear(g.recs)
	g.recs, g.total, g.held = g.recs[:0], 0, 0
	clear(g.rows)
	for _, f := range g.fields {
		clear(f.counts)
		clear(f.ends)
		f.nulls = nil
	}
}

// Close releases what the group holds. It must not be used afterwards.
func (g *Group) Close() {
	g.Reset()
	for _, d := range g.dicts {
		d.forget()
	}
}

// Dictionary returns what the group has collected of dictionary i. It is the
// group's.
func (g *Group) Dictionary(i int) *Dictionary { return g.dicts[i] }

// Dictionaries returns the values that the indices of all groups so far name,
// in the order of [block.Dictionaries]. The caller releases them.
func (g *Group) Dictionaries() []arrow.ArrayData {
	out := make([]arrow.ArrayData, len(g.dicts))
	for i, d := range g.dicts {
		out[i] = d.Data()
	}
	return out
}

// count adds up len(ids) elements of d from element off of its buffers on.
func (g *Group) count(f *field, d arrow.ArrayData, off int, ids []int32, depth int) {
	if len(ids) == 0 {
		return
	}
	g.countNulls(f, d, off, ids)
	switch f.layout.Form {
	case block.FormBinary:
		countBytes(f.ends, offsetsOf[int32](d, off, len(ids)), len(block.Bytes(d, 2)), ids)
	case block.FormLarge:
		countBytes(f.ends, offsetsOf[int64](d, off, len(ids)), len(block.Bytes(d, 2)), ids)
	case block.FormList:
		g.countList(f, d.Children()[0], widen(offsetsOf[int32](d, off, len(ids))), ids, depth)
	case block.FormLargeList:
		g.countList(f, d.Children()[0], offsetsOf[int64](d, off, len(ids)), ids, depth)
	case block.FormFixedList:
		g.countList(f, d.Children()[0], steps(off, f.layout.Width, len(ids)), ids, depth)
	case block.FormStruct:
		for i, c := range d.Children() {
			g.count(f.children[i], c, c.Offset()+off, ids, depth)
		}
	}
}

func (g *Group) countNulls(f *field, d arrow.ArrayData, off int, ids []int32) {
	valid := block.Bytes(d, 0)
	if f.layout.Form == block.FormNull || len(valid) == 0 || bitutil.CountSetBits(valid, off, len(ids)) == len(ids) {
		return
	}
	if f.nulls == nil {
		f.nulls = make([]int64, g.parts)
	}
	for i, id := range ids {
		k := off + i
		f.nulls[id] += int64(^valid[k>>3]>>(k&7)) & 1
	}
}

// countBytes adds up the lengths of strings whose data has size bytes. What it
// lets pass is moved without a look at single strings.
func countBytes[T int32 | int64](ends []int64, offs []T, size int, ids []int32) {
	offs = offs[:len(ids)+1]
	lo := offs[0]
	bad := lo // negative once any step or the first offset is
	for i, id := range ids {
		hi := offs[i+1]
		bad |= (hi - lo) | hi // hi too: the step from a negative one may overflow
		ends[id] += int64(hi - lo)
		lo = hi
	}
	if bad < 0 || int64(lo) > int64(size) {
		panic(fmt.Sprintf("partition: offsets of strings do not ascend to at most %d", size))
	}
}

// countList counts the elements of lists between offsets, and what is in them.
func (g *Group) countList(f *field, child arrow.ArrayData, offs []int64, ids []int32, depth int) {
	c := f.children[0]
	for i, id := range ids {
		c.counts[id] += offs[i+1] - offs[i]
	}
	inner := g.spread(offs, ids, depth)
	g.count(c, child, child.Offset()+int(offs[0]), inner, depth+1)
}

// spread returns the partition of each element of lists: valid until it is
// called again for the same depth.
func (g *Group) spread(offs []int64, ids []int32, depth int) []int32 {
	for len(g.inner) <= depth {
		g.inner = append(g.inner, nil)
	}
	inner := g.inner[depth][:0]
	for i, id := range ids {
		for range offs[i+1] - offs[i] {
			inner = append(inner, id)
		}
	}
	g.inner[depth] = inner
	return inner
}

func widen(offs []int32) []int64 {
	out := make([]int64, len(offs))
	for i, v := range offs {
		out[i] = int64(v)
	}
	return out
}

// steps returns the offsets of n lists of width elements from list off on.
func steps(off, width, n int) []int64 {
	out := make([]int64, n+1)
	for i := range out {
		out[i] = int64((off + i) * width)
	}
	return out
}
