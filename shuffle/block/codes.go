package block

import "fmt"

// Codes numbers the entries of a dictionary that batches use, in the order in
// which they are met: for a dictionary of these alone. The zero value is of an
// empty dictionary.
type Codes struct {
	Used []int32 // the entries met

	to    []int32 // by entry met: its number
	seen  []int32 // by entry: the round in which it was met last
	round int32
}

// Reset forgets what was met, for a dictionary of n entries. It takes time in
// proportion to n the first time only.
func (c *Codes) Reset(n int) {
	c.Used = c.Used[:0]
	if len(c.to) != n || c.round == 1<<31-1 {
		c.to, c.seen, c.round = make([]int32, n), make([]int32, n), 0
	}
	c.round++
}

// Map returns the number of each entry that was met, and any number for the
// others: as [Reindexer.Reindex] takes it. It is valid until Reset.
func (c *Codes) Map() []int32 { return c.to }

// Collect adds the entries that the batch b uses of dictionary i to codes[i].
// part and b are those of [Reindexer.Reindex].
func (r *Reindexer) Collect(part []byte, b *Batch, codes []Codes) error {
	if _, err := r.Start(b, int64(len(part))); err != nil {
		return err
	}
	for i, c := range r.columns {
		src, valid, err := r.indices(part, b, c)
		if err != nil {
			return fmt.Errorf("dictionary %d: %w", i, err)
		}
		if err := codes[i].collect(src, valid, c.width); err != nil {
			return fmt.Errorf("dictionary %d: %w", i, err)
		}
	}
	return nil
}

// indices returns the indices of column c, and their validity bitmap, empty
// where none is null: not compressed.
func (r *Reindexer) indices(part []byte, b *Batch, c indexColumn) (src, valid []byte, err error) {
	x, v := b.Buffers[c.buffer], b.Buffers[c.buffer-1]
	for _, e := range []Extent{x, v} {
		if err := checkExtent(e, int64(len(part))); err != nil {
			return nil, nil, err
		}
	}
	if b.Raw != 0 && r.comp != nil {
		if src, err = r.unpack(part, x); err != nil {
			return nil, nil, err
		}
		if valid, err = r.unpack(part, v); err != nil {
			return nil, nil, err
		}
	} else {
		src, valid = part[x.Offset:x.Offset+x.Length], part[v.Offset:v.Offset+v.Length]
	}
	n := b.Lengths[c.array]
	if n < 0 || n > int64(len(src)/c.width) || len(valid) > 0 && n > 8*int64(len(valid)) {
		return nil, nil, fmt.Errorf("%w: %d indices in %d bytes", ErrMalformed, n, len(src))
	}
	return src[:n*int64(c.width)], valid, nil
}

func (c *Codes) collect(src, valid []byte, width int) error {
	switch width {
	case 1:
		return collectAs[uint8](c, src, valid)
	case 2:
		return collectAs[uint16](c, src, valid)
	case 4:
		return collectAs[uint32](c, src, valid)
	}
	return collectAs[uint64](c, src, valid)
}

func collectAs[T uint8 | uint16 | uint32 | uint64](c *Codes, src, valid []byte) error {
	for i, v := range Cast[T](src) {
		if len(valid) > 0 && valid[i>>3]>>(i&7)&1 == 0 {
			continue
		}
		if uint64(v) >= uint64(len(c.seen)) {
			return fmt.Errorf("%w: index %d into a dictionary of %d", ErrMalformed, uint64(v), len(c.seen))
		}
		if c.seen[v] != c.round {
			c.seen[v], c.to[v] = c.round, int32(len(c.Used))
			c.Used = append(c.Used, int32(v))
		}
	}
	return nil
}
