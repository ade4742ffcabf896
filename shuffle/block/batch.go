package block

import "errors"

// ErrMalformed is in the chain of what [Decode] returns for a Batch that does
// not fit its schema or its bytes.
var ErrMalformed = errors.New("malformed batch")

// Alignment is the boundary in bytes on which every buffer starts, counted
// from the start of the partition, which itself starts on such a boundary of
// its file.
const Alignment = 64

// MaxRaw bounds the bytes of one compressed batch's buffers.
const MaxRaw = 1 << 31

// MaxRows bounds the rows of one batch and the elements of one array in it.
const MaxRows = 1<<31 - 1

// Batch is where one record batch's buffers lie, so that arrays can be built
// over mapped memory without parsing IPC.
type Batch struct {
	Rows    int64
	Nulls   []int64  // null count of each array, depth first
	Lengths []int64  // length of each array, depth first
	Buffers []Extent // in Arrow's depth-first buffer order; a missing buffer has Length 0
	// Raw is the sum of the buffers' lengths before compression, each rounded
	// up to Alignment; 0 if the batch is not compressed.
	Raw int64
}

// Extent is a byte range relative to the start of its partition.
type Extent struct {
	Offset int64
	Length int64
}

// Align rounds n up to the next multiple of [Alignment].
func Align(n int64) int64 { return (n + Alignment - 1) &^ (Alignment - 1) }
