package partition

import (
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/shuffle/block"
)

// Partitioner decides which partition each row of a record belongs to.
type Partitioner interface {
	// Partition fills ids[i] with the partition of row i. len(ids) is the
	// record's row count. A record that lacks a key column is an error.
	Partition(rec arrow.Record, ids []int32) error
}

// Func is a function as a [Partitioner].
type Func func(rec arrow.Record, ids []int32) error

func (f Func) Partition(rec arrow.Record, ids []int32) error { return f(rec, ids) }

// Hash partitions by the hash of key columns. It may be used from any
// goroutine.
type Hash struct {
	Columns    []int // the key, in this order
	Partitions int
}

// hashSome is how many rows are hashed at a time: their hashes stay in the
// cache, and take no large allocation for each record.
const hashSome = 1024

func (h Hash) Partition(rec arrow.Record, ids []int32) error {
	if err := checkColumns(rec, h.Columns); err != nil {
		return err
	}
	step := min(len(ids), hashSome)
	if h.ofDictionary(rec) {
		step = len(ids) // all its entries are hashed every time
	}
	hashes, scratch := make([]uint64, step), make([]uint64, scratchOf(h.Columns, step))
	for at := 0; at < len(ids); at += step {
		some := hashes[:min(step, len(ids)-at)]
		if err := hashRows(rec, h.Columns, at, some, scratch); err != nil {
			return err
		}
		for i, v := range some {
			ids[at+i] = int32(Of(v, h.Partitions))
		}
	}
	return nil
}

func (h Hash) ofDictionary(rec arrow.Record) bool {
	return slices.ContainsFunc(h.Columns, func(c int) bool {
		l, err := block.LayoutOf(rec.Column(c).DataType())
		return err == nil && l.Form == block.FormDictionary
	})
}

// RoundRobin deals rows out in turn, going on from record to record. It is not
// safe for concurrent use. Its answer depends on the order of the records:
// producers whose rows may come in another order in a second attempt should
// not use it where consumers have already read.
type RoundRobin struct {
	Partitions int
	Next       int // the partition of the next row; let producers start apart
}

func (r *RoundRobin) Partition(_ arrow.Record, ids []int32) error {
	if r.Partitions < 1 {
		return fmt.Errorf("round robin over %d partitions", r.Partitions)
	}
	for i := range ids {
		ids[i] = int32(r.Next % r.Partitions)
		r.Next = (r.Next + 1) % r.Partitions
	}
	return nil
}

// First puts every row into partition 0.
type First struct{}

func (First) Partition(_ arrow.Record, ids []int32) error {
	clear(ids)
	return nil
}

// Everywhere puts every row into every partition. A writer that knows it writes
// the rows once, as the first partition, and gives the others its place.
type Everywhere struct{}

func (Everywhere) Partition(_ arrow.Record, ids []int32) error {
	clear(ids)
	return nil
}

// Broadcast returns rec once for each of p partitions, each with a hold of its
// own that the caller releases.
func Broadcast(rec arrow.Record, p int) []arrow.Record {
	recs := make([]arrow.Record, p)
	for i := range recs {
		rec.Retain()
		recs[i] = rec
	}
	return recs
}
