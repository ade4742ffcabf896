package shuffle

// Index is what the world needs to know of one written object to read any of
// its partitions. It travels in the producer's completion message: no reader
// lists or probes.
type Index struct {
	Version    uint16
	Name       string // file name under the gang's shared directory, e.g. "map-00012.0.x"
	Object     string // "bucket/key" in the store, "" if never uploaded
	Size       int64
	Schema     []byte // Arrow IPC schema message of the record batches
	Partitions []Partition
}

// Partition is one partition's place in the object. All lengths in bytes.
type Partition struct {
	Offset  int64
	Length  int64
	Rows    int64
	CRC32C  uint32 // of the Length bytes at Offset
	RowHash uint64 // order-independent: the wrapping sum of the rows' hashes
	Codec   string // "", "lz4", "zstd": of the IPC buffers
	Batches []Batch
}

// Batch is where one record batch's buffers lie, so that arrays can be built
// over mapped memory without parsing IPC.
type Batch struct {
	Rows    int64
	Nulls   []int64  // null count of each array, depth first
	Lengths []int64  // length of each array, depth first
	Buffers []Extent // in Arrow's depth-first buffer order; a missing buffer has Length 0
}

// Extent is a byte range relative to the partition's Offset.
type Extent struct {
	Offset int64
	Length int64
}
