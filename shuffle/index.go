package shuffle

import (
	"fmt"

	"github.com/capstan-run/capstan/shuffle/block"
)

// Version is the version of the file format and of the index's encoding that
// is written; version 1 is still read.
const Version = 2

// Index is what the world needs to know of one written object to read any of
// its partitions. It travels in the producer's completion message: no reader
// lists or probes.
type Index struct {
	Version    uint16
	Name       string // file name under the gang's shared directory, e.g. "map-00012.0.x"
	Object     string // "bucket/key" in the store, "" if never uploaded
	Size       int64  // of the whole file, footer included
	Schema     []byte // Arrow IPC schema message of the record batches
	Total      int    // partitions of the object
	First      int    // number of Partitions[0]; not 0 only in a slice
	Partitions []Partition
}

// Partition is one partition's place in the object. All lengths in bytes. An
// empty partition is the zero Partition.
type Partition struct {
	Offset  int64
	Length  int64
	Rows    int64
	CRC32C  uint32 // of the Length bytes at Offset
	RowHash uint64 // order-independent: the wrapping sum of the rows' hashes
	Codec   string // "", "lz4", "zstd": of the IPC buffers
	Batches []Batch
	// Dictionaries is where the dictionaries lie, in the order of their IDs:
	// before the first record batch.
	Dictionaries []Batch
}

// Batch is where one record batch's buffers lie, so that arrays can be built
// over mapped memory without parsing IPC.
type Batch = block.Batch

// Extent is a byte range relative to the partition's Offset.
type Extent = block.Extent

// Partition returns the place of partition p of the object, or an error if
// the index, being a slice, does not hold it. The result must not be changed.
func (x *Index) Partition(p int) (*Partition, error) {
	if p < x.First || p-x.First >= len(x.Partitions) {
		return nil, fmt.Errorf("partition %d of exchange object %s: index holds partitions %d to %d of %d",
			p, x.Name, x.First, x.First+len(x.Partitions)-1, x.Total)
	}
	return &x.Partitions[p-x.First], nil
}

// Slice returns an index with partition p alone: all a reader of p needs. It
// shares x's memory.
func (x *Index) Slice(p int) (*Index, error) { return x.SliceRange(p, p+1) }

// SliceRange returns an index with partitions lo to hi-1. It shares x's memory.
func (x *Index) SliceRange(lo, hi int) (*Index, error) {
	if lo < x.First || hi < lo || hi-x.First > len(x.Partitions) {
		return nil, fmt.Errorf("slice %d:%d of exchange object %s: index holds partitions %d to %d of %d",
			lo, hi, x.Name, x.First, x.First+len(x.Partitions)-1, x.Total)
	}
	s := *x
	s.First, s.Partitions = lo, x.Partitions[lo-x.First:hi-x.First:hi-x.First]
	return &s, nil
}

// Rows returns the rows of all partitions the index holds.
func (x *Index) Rows() int64 {
	var n int64
	for i := range x.Partitions {
		n += x.Partitions[i].Rows
	}
	return n
}

// Bytes returns the bytes of all partitions the index holds, padding included.
func (x *Index) Bytes() int64 {
	var n int64
	for i := range x.Partitions {
		n += x.Partitions[i].Length
	}
	return n
}
