package operator

import (
	"context"
	"encoding/binary"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/frameworks/stream/state"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// count emits each tuple's key and how many tuples had it by then.
type count struct {
	by     []int // the columns of the key
	route  []int // those that its group is of: the stream's grouping, if it has fields
	groups int
	counts *state.Counts
	schema *arrow.Schema
	hashes []uint64
	key    []byte
}

func newCount(m Make) (Keyed, error) {
	with, err := decode[CountWith](m)
	if err != nil {
		return nil, err
	}
	in := m.In[0]
	fields, err := keys(in, with.By)
	if err != nil {
		return nil, err
	}
	c := &count{groups: m.Groups, counts: state.NewCounts(m.keyRange(in)), schema: topology.Schema(m.Task.Component.Outputs[0].Fields)}
	for _, f := range fields {
		c.by = append(c.by, topology.Index(in.Fields, f.Name))
	}
	c.route = c.by
	if in.Grouping.Kind == topology.ByFields && within(in.Grouping.Fields, fields) {
		c.route = nil
		for _, name := range in.Grouping.Fields {
			c.route = append(c.route, topology.Index(in.Fields, name))
		}
	}
	return c, nil
}

func (c *count) Snapshot() []byte { return c.counts.Snapshot() }

func (c *count) Restore(b []byte) error { return c.counts.Restore(b) }

func (c *count) Process(_ context.Context, _ int, rec arrow.Record, out Emitter) error {
	n := int(rec.NumRows())
	if cap(c.hashes) < n {
		c.hashes = make([]uint64, n)
	}
	c.hashes = c.hashes[:n]
	if err := partition.HashColumns(rec, c.route, c.hashes); err != nil {
		return err
	}
	totals := array.NewInt64Builder(memory.DefaultAllocator)
	totals.Reserve(n)
	for i := range n {
		totals.UnsafeAppend(c.counts.Add(partition.Of(c.hashes[i], c.groups), c.keyOf(rec, i)))
	}
	columns := make([]arrow.Array, 0, len(c.by)+1)
	for _, k := range c.by {
		columns = append(columns, rec.Column(k))
	}
	return out.Emit(0, array.NewRecord(c.schema, append(columns, totals.NewArray()), int64(n)))
}

// keyOf is row i's key as bytes, good until the next one.
func (c *count) keyOf(rec arrow.Record, i int) []byte {
	c.key = c.key[:0]
	for _, k := range c.by {
		column := rec.Column(k)
		if column.IsNull(i) {
			c.key = append(c.key, 0)
			continue
		}
		switch a := column.(type) {
		case *array.String:
			c.key = appendText(c.key, a.Value(i))
		case *array.Binary:
			c.key = appendText(c.key, string(a.Value(i)))
		case *array.Int64:
			c.key = binary.AppendVarint(append(c.key, 2), a.Value(i))
		case *array.Timestamp:
			c.key = binary.AppendVarint(append(c.key, 2), int64(a.Value(i)))
		case *array.Boolean:
			c.key = append(c.key, 2, map[bool]byte{true: 1}[a.Value(i)])
		}
	}
	return c.key
}

func appendText(b []byte, text string) []byte {
	b = binary.AppendUvarint(append(b, 1), uint64(len(text)))
	return append(b, text...)
}
