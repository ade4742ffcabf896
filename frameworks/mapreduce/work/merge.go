package work

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// run is one partition of an exchange file: sorted batches of pairs.
type run interface {
	// Next returns the next batch, or io.EOF. The batch is the run's, and valid
	// until the next call.
	Next() (arrow.Record, error)
	Close() error
}

// cursor is a place in a run. Its fields are the current pair.
type cursor struct {
	run    run
	merge  *merger // nil: of none
	order  Order
	kind   Kind
	rank   int // among the runs of a merge (law W2)
	prefix uint64
	key    []byte

	rec      arrow.Record
	row      int
	rows     int
	offsets  []int32
	data     []byte
	valueOff []int32
	valueBuf []byte
	ints     []int64
	floats   []float64
}

// next moves to the next pair; false at the end of the run.
func (c *cursor) next() (bool, error) {
	if c.row++; c.row >= c.rows {
		if ok, err := c.load(); !ok {
			return false, err
		}
	}
	c.key = c.data[c.offsets[c.row]:c.offsets[c.row+1]]
	c.prefix = c.order.Prefix(c.key)
	return true, nil
}

func (c *cursor) load() (bool, error) {
	for {
		rec, err := c.run.Next()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if c.merge != nil && c.merge.look != nil {
			if err := c.merge.look(); err != nil {
				return false, err
			}
		}
		if rec.NumRows() == 0 {
			continue
		}
		c.rec, c.row, c.rows = rec, 0, int(rec.NumRows())
		return true, c.columns()
	}
}

func (c *cursor) columns() error {
	keys, ok := c.rec.Column(0).(*array.Binary)
	if !ok {
		return fmt.Errorf("keys of type %s, not binary", c.rec.Column(0).DataType())
	}
	c.offsets, c.data = keys.ValueOffsets(), contents(keys)
	if c.kind == None {
		return nil
	}
	if c.rec.NumCols() < 2 {
		return errors.New("pairs without values")
	}
	switch v := c.rec.Column(1).(type) {
	case *array.Binary:
		c.valueOff, c.valueBuf = v.ValueOffsets(), contents(v)
	case *array.Int64:
		c.ints = v.Int64Values()
	case *array.Float64:
		c.floats = v.Float64Values()
	default:
		return fmt.Errorf("values of type %s", v.DataType())
	}
	return nil
}

// contents is the memory that the offsets of a point into.
func contents(a *array.Binary) []byte {
	if b := a.Data().Buffers()[2]; b != nil {
		return b.Bytes()
	}
	return []byte{}
}

// Bytes is the value, for kinds Text and Binary. Valid until the next pair.
// It is never nil: what a map emitted without a value has an empty one here.
func (c *cursor) Bytes() []byte { return c.valueBuf[c.valueOff[c.row]:c.valueOff[c.row+1]] }

// Int is the value, for the kinds that travel as int64.
func (c *cursor) Int() int64 { return c.ints[c.row] }

// Float is the value, for kind Float64.
func (c *cursor) Float() float64 { return c.floats[c.row] }

// before reports whether c's pair comes before d's: by key, then by rank.
func (c *cursor) before(d *cursor) bool {
	if c.prefix != d.prefix {
		return c.prefix < d.prefix
	}
	if !c.order.decides(c.key, d.key) {
		if n := c.order.Compare(c.key, d.key); n != 0 {
			return n < 0
		}
	}
	return c.rank < d.rank
}

// merger merges sorted runs by a tree of losers (Knuth, vol. 3, 5.4.1): one
// comparison per level for a pair.
//
// A merger is not safe for concurrent use.
type merger struct {
	cursors []*cursor
	losers  []*cursor // losers[0] is the winner; nil: an exhausted run
	started bool
	taken   int64 // pairs handed out
	// look, if set, is called for every batch that is read; its error ends the
	// merge. A group may be all of the input: this is where its reader tells that
	// it is at work, and hears that nobody waits for it any more.
	look func() error
}

// newMerger merges runs, whose ranks are their places in the list. It closes
// them, also when it answers an error.
func newMerger(runs []run, order Order, kind Kind) (*merger, error) {
	m := &merger{}
	for i, r := range runs {
		m.cursors = append(m.cursors, &cursor{run: r, merge: m, order: order, kind: kind, rank: i, row: -1})
	}
	if err := m.build(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *merger) build() error {
	live := make([]*cursor, len(m.cursors))
	for i, c := range m.cursors {
		ok, err := c.next()
		if err != nil {
			return err
		}
		if ok {
			live[i] = c
		}
	}
	n := max(len(live), 1)
	m.losers = make([]*cursor, n)
	winners := make([]*cursor, 2*n)
	copy(winners[n:], live)
	for i := n - 1; i > 0; i-- {
		winners[i], m.losers[i] = play(winners[2*i], winners[2*i+1])
	}
	m.losers[0] = winners[1]
	return nil
}

func play(a, b *cursor) (winner, loser *cursor) {
	if b == nil || a != nil && a.before(b) {
		return a, b
	}
	return b, a
}

// next returns the cursor at the next pair, nil at the end. It is valid until
// the next call.
func (m *merger) next() (*cursor, error) {
	m.taken++
	if !m.started {
		m.started = true
		return m.losers[0], nil
	}
	c := m.losers[0]
	if c == nil {
		return nil, nil
	}
	at := (len(m.losers) + c.rank) / 2
	ok, err := c.next()
	if err != nil {
		return nil, err
	}
	if !ok {
		c = nil
	}
	for ; at > 0; at /= 2 {
		c, m.losers[at] = play(c, m.losers[at])
	}
	m.losers[0] = c
	return c, nil
}

// Close closes the runs.
func (m *merger) Close() error {
	var errs []error
	for _, c := range m.cursors {
		errs = append(errs, c.run.Close())
	}
	m.cursors = nil
	return errors.Join(errs...)
}
