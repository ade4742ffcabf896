package shuffle

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/capstan-run/capstan/shuffle/block"
)

// Merge writes one object out of several: those of an executor's wave of tasks,
// before they are uploaded, so that a store has one object of a wave and not
// one of a task. It reads the objects by src and copies their batches without
// decoding them (law X10). indexes are whole, of one schema, number of
// partitions and codec. path is where the object lies, as for
// [NewPartitionedWriter].
//
// Where the dictionaries of a partition's inputs differ they are joined, each
// value once, and the columns of indices are written anew; a partition of more
// than 8 MiB is then read twice. More values than the indices can name are an
// error: upload such objects one by one.
//
// The upload is one PUT up to what the store's client sends as one
// (store.Config.Part). The objects merged stay: the caller drops them. A lost
// merged object has lost all of its producers' rows. After an error nothing is
// visible, and nothing is left; where an object to merge is lost it is a
// [*LostError].
func Merge(ctx context.Context, path string, src *Source, indexes []*Index, o MergeOptions) (*Index, error) {
	m := merger{src: src, in: indexes}
	err := o.check()
	if err == nil {
		err = m.check(path)
	}
	if err == nil {
		err = m.write(ctx, path, o.Sync)
	}
	if err == nil {
		err = upload(ctx, path, &m.index, o.Durability, o.Objects, o.Object, o.Uploads)
	}
	if err != nil {
		return nil, fmt.Errorf("merge %d exchange objects into %s: %w", len(indexes), path, err)
	}
	return &m.index, nil
}

// merger is a merge under way.
type merger struct {
	src    *Source
	in     []*Index
	spread bool // all are broadcasts
	parts  int  // that are written
	codec  string
	dicts  *joiner // nil without dictionaries
	out    stage
	begun  bool // something of the current partition is written
	index  Index
}

// input is a partition of one of the objects.
type input struct {
	object int
	*want
}

// check refuses what cannot be merged by copying, and makes the empty index.
func (m *merger) check(path string) error {
	if len(m.in) == 0 {
		return errors.New("there are no objects")
	}
	first := m.in[0]
	schema, err := m.src.schemaOf(first)
	if err != nil {
		return err
	}
	for _, x := range m.in {
		switch {
		case x.Version != Version:
			return fmt.Errorf("object %s is of version %d, want %d", x.Name, x.Version, Version)
		case x.First != 0 || len(x.Partitions) != x.Total || x.Total != first.Total:
			return fmt.Errorf("object %s has partitions %d+%d of %d, want all of %d", x.Name, x.First, len(x.Partitions), x.Total, first.Total)
		case string(x.Schema) != string(first.Schema):
			return fmt.Errorf("object %s has another schema than %s", x.Name, first.Name)
		}
	}
	if err := m.kinds(); err != nil {
		return err
	}
	index, err := newIndex(path, schema, first.Total)
	if err != nil {
		return err
	}
	m.index, m.parts = *index, first.Total
	if m.spread {
		m.parts = 1
	}
	if len(block.Dictionaries(schema)) > 0 {
		m.dicts, err = newJoiner(schema, m.index.Schema, m.codec, len(m.in))
	}
	return err
}

// kinds finds out whether the objects are broadcasts, and their codec: all of
// them with rows must agree.
func (m *merger) kinds() error {
	seen := false
	for _, x := range m.in {
		if x.Rows() == 0 {
			continue
		}
		spread := isSpread(x)
		for i := range x.Partitions {
			p := &x.Partitions[i]
			if p.Length == 0 {
				continue
			}
			if seen && (p.Codec != m.codec || spread != m.spread) {
				return fmt.Errorf("object %s has another codec, or is a broadcast and others are not", x.Name)
			}
			m.codec, m.spread, seen = p.Codec, spread, true
		}
	}
	return nil
}

// isSpread reports whether x is a broadcast: all partitions in one place.
func isSpread(x *Index) bool {
	return len(x.Partitions) > 1 && x.Partitions[0].Length > 0 && x.Partitions[1].Length > 0 &&
		x.Partitions[0].Offset == x.Partitions[1].Offset
}

func (m *merger) write(ctx context.Context, path string, sync bool) error {
	file, err := createObject(path, sync)
	if err != nil {
		return err
	}
	defer file.discard()
	m.out.file = file
	for lo := 0; lo < m.parts; {
		hi, size := lo+1, m.sizeOf(lo)
		for hi < m.parts && size+m.sizeOf(hi) <= joinWindow {
			size += m.sizeOf(hi)
			hi++
		}
		if err := m.some(ctx, lo, hi); err != nil {
			return err
		}
		lo = hi
	}
	if err := m.out.flush(); err != nil {
		return err
	}
	if m.spread {
		for p := range m.index.Partitions {
			m.index.Partitions[p] = m.index.Partitions[0]
		}
	}
	foot, err := footer(m.index)
	if err != nil {
		return err
	}
	if _, err := file.Write(foot); err != nil {
		return err
	}
	m.index.Size = file.pos
	return file.publish()
}

func (m *merger) sizeOf(p int) int64 {
	n := int64(0)
	for _, x := range m.in {
		n += x.Partitions[p].Length
	}
	return n
}

// some writes the partitions lo to hi-1: one, or several that are small.
func (m *merger) some(ctx context.Context, lo, hi int) error {
	if hi == lo+1 {
		return m.one(ctx, lo)
	}
	all := make([][]want, len(m.in))
	defer func() {
		for _, wants := range all {
			releaseAll(wants)
		}
	}()
	for i := range m.in {
		var err error
		if all[i], err = m.read(ctx, i, lo, hi); err != nil {
			return err
		}
	}
	next := make([]int, len(m.in)) // the first want of an object that is not written
	for p := lo; p < hi; p++ {
		var from []input
		for i, wants := range all {
			if k := next[i]; k < len(wants) && wants[k].number == p {
				next[i]++
				from = append(from, input{i, &wants[k]})
			}
		}
		if err := m.partition(p, from); err != nil {
			return err
		}
	}
	return nil
}

// partition writes partition p, whose inputs are all at hand.
func (m *merger) partition(p int, from []input) error {
	if m.dicts != nil {
		heads := make([]head, len(from))
		for i, x := range from {
			var err error
			if heads[i], err = m.dicts.headOf(x); err != nil {
				return m.malformed(x, err)
			}
		}
		if err := m.dicts.join(heads); err != nil {
			return err
		}
	}
	for _, x := range from {
		if err := m.add(p, x); err != nil {
			return err
		}
	}
	return m.end(p)
}

// one writes a partition an object at a time: together they may be larger than
// memory.
func (m *merger) one(ctx context.Context, p int) error {
	if m.dicts != nil {
		var heads []head
		err := m.each(ctx, p, func(x input) error {
			h, err := m.dicts.headOf(x)
			if err != nil {
				return m.malformed(x, err)
			}
			h.bytes = bytes.Clone(h.bytes)
			heads = append(heads, h)
			return nil
		})
		if err != nil {
			return err
		}
		if err := m.dicts.join(heads); err != nil {
			return err
		}
	}
	if err := m.each(ctx, p, func(x input) error { return m.add(p, x) }); err != nil {
		return err
	}
	return m.end(p)
}

// each calls do with the inputs of partition p, of which it holds one at a
// time.
func (m *merger) each(ctx context.Context, p int, do func(input) error) error {
	for i := range m.in {
		wants, err := m.read(ctx, i, p, p+1)
		if err != nil {
			return err
		}
		for k := range wants {
			err = errors.Join(err, do(input{i, &wants[k]}))
		}
		releaseAll(wants)
		if err != nil {
			return err
		}
	}
	return nil
}

// read returns the verified bytes of the partitions lo to hi-1 of object i
// that have some.
func (m *merger) read(ctx context.Context, i, lo, hi int) ([]want, error) {
	x := m.in[i]
	var wants []want
	for p := lo; p < hi; p++ {
		if part := &x.Partitions[p]; part.Length > 0 {
			if part.Length < int64(len(x.Schema)+len(tail)) {
				return nil, lostTo(x, p, fmt.Errorf("%w: partition of %d bytes has no room for its schema", ErrCorrupt, part.Length))
			}
			wants = append(wants, want{number: p, part: part})
		}
	}
	// Beside what the source's readers hold: a merge waits for none of them.
	if err := m.src.climb(ctx, &grant{s: m.src, unbound: true}, x, wants); err != nil {
		return nil, err
	}
	return wants, nil
}

func releaseAll(wants []want) {
	for i := range wants {
		if wants[i].buf != nil {
			wants[i].buf.Release()
		}
	}
}

// malformed says which index does not fit its bytes.
func (m *merger) malformed(x input, err error) error {
	return fmt.Errorf("partition %d of exchange object %s: %w: %w", x.number, m.in[x.object].Name, ErrCorrupt, err)
}

// add appends the batches of x to partition p, and begins it before the first.
func (m *merger) add(p int, x input) error {
	part := &m.index.Partitions[p]
	if !m.begun {
		m.begun = true
		if err := m.begin(part); err != nil {
			return err
		}
	}
	part.Rows += x.part.Rows
	part.RowHash += x.part.RowHash
	if m.dicts == nil {
		return m.copy(part, x, int64(len(m.index.Schema)))
	}
	h, err := m.dicts.headOf(x)
	if err != nil {
		return m.malformed(x, err)
	}
	maps := m.dicts.known[x.object].maps
	if maps == nil {
		return m.copy(part, x, int64(len(h.bytes)))
	}
	batches, err := m.dicts.reindex(&m.out, x, maps)
	if errors.Is(err, block.ErrMalformed) {
		return m.malformed(x, err)
	}
	part.Batches = append(part.Batches, batches...)
	return err
}

// begin writes what stands before the first batch of a partition.
func (m *merger) begin(part *Partition) error {
	part.Offset, part.Codec = m.out.begin(), m.codec
	if m.dicts == nil {
		_, err := m.out.Write(m.index.Schema)
		return err
	}
	bytes, places, err := m.dicts.head()
	if err != nil {
		return err
	}
	part.Dictionaries = places
	_, err = m.out.Write(bytes)
	return err
}

// copy appends the batches of x, which begin at head.
func (m *merger) copy(part *Partition, x input, head int64) error {
	moved := m.out.length - head
	for i := range x.part.Batches {
		part.Batches = append(part.Batches, shifted(&x.part.Batches[i], moved))
	}
	b := x.buf.Bytes()
	_, err := m.out.Write(b[head : len(b)-len(tail)])
	return err
}

// end ends partition p, if anything is in it.
func (m *merger) end(p int) error {
	if !m.begun {
		return nil
	}
	m.begun = false
	if _, err := m.out.Write(tail[:]); err != nil {
		return err
	}
	part := &m.index.Partitions[p]
	part.Length, part.CRC32C = m.out.end()
	return nil
}
