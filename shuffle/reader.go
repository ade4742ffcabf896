package shuffle

import (
	"fmt"
	"io"
	"os"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/shuffle/block"
)

// PartitionReader reads the record batches of one partition, in the order they
// were written. Its bytes are verified before the first batch is read. It is
// not safe for concurrent use.
type PartitionReader struct {
	schema *arrow.Schema
	part   *Partition
	name   string
	number int
	dec    *block.Decoder // nil when empty or closed
	rung   Rung
	next   int
	rows   int64
	rec    arrow.Record // what Next returned last
	mapped []byte       // the partition, where it is part of a mapped file
}

// Schema returns the schema of the records, taken from the index.
func (r *PartitionReader) Schema() *arrow.Schema { return r.schema }

// Rung says where the partition was read from.
func (r *PartitionReader) Rung() Rung { return r.rung }

// Rows returns the rows of the whole partition.
func (r *PartitionReader) Rows() int64 { return r.part.Rows }

// Bytes returns the bytes of the whole partition, padding included.
func (r *PartitionReader) Bytes() int64 { return r.part.Length }

// Mapped reports whether records lie over a mapped file, whose pages are the
// kernel's to drop. Else they lie in pooled memory, or in that of a [Registry].
func (r *PartitionReader) Mapped() bool { return r.mapped != nil && r.part.Codec == "" }

// Random tells the kernel that records of this partition will be looked at in no
// order: of a page that it has dropped it reads no more than that. It may be
// called before Close.
func (r *PartitionReader) Random() {
	if len(r.mapped) == 0 {
		return
	}
	start := uintptr(unsafe.Pointer(unsafe.SliceData(r.mapped)))
	skip := -start & uintptr(os.Getpagesize()-1) // to the first whole page
	if skip < uintptr(len(r.mapped)) {
		_ = unix.Madvise(r.mapped[skip:], unix.MADV_RANDOM) // advice
	}
}

// Next returns the next record batch, or io.EOF. The arrays lie over mapped or
// pooled memory and must not be written to. The record is the reader's: it is
// valid until the next call of Next or Close, and longer if the caller retains
// it and releases it later; the memory is given back with the last release.
// Strings and slices taken from its values die with it: clone what is kept.
//
// A batch that does not fit its schema or bytes, though the checksum matched,
// is [ErrCorrupt]: the index is wrong, and no other copy would help.
func (r *PartitionReader) Next() (arrow.Record, error) {
	r.drop()
	if r.dec == nil || r.next == len(r.part.Batches) {
		return nil, r.atEnd()
	}
	rec, err := r.dec.Decode(&r.part.Batches[r.next])
	if err != nil {
		return nil, fmt.Errorf("batch %d of partition %d of exchange object %s: %w: %w", r.next, r.number, r.name, ErrCorrupt, err)
	}
	r.next++
	r.rows += rec.NumRows()
	r.rec = rec
	return rec, nil
}

// atEnd is io.EOF if all rows of the partition were there.
func (r *PartitionReader) atEnd() error {
	if r.dec != nil && r.rows != r.part.Rows {
		return fmt.Errorf("partition %d of exchange object %s: %w: %d rows in its batches, index says %d",
			r.number, r.name, ErrCorrupt, r.rows, r.part.Rows)
	}
	return io.EOF
}

func (r *PartitionReader) drop() {
	if r.rec != nil {
		r.rec.Release()
		r.rec = nil
	}
}

// Close releases the current record and the reader's hold on the memory, which
// is unmapped when no retained record is left. It may be called twice.
func (r *PartitionReader) Close() error {
	r.drop()
	if r.dec != nil {
		r.dec.Release()
		r.dec, r.mapped = nil, nil
	}
	return nil
}
