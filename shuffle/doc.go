// Package shuffle is the data plane's exchange: partitioned data sets between
// two stages, written once, committed, then read by many.
//
// # Model
//
//	producer task ── Writer ──→ one object: file ──(Upload)──→ store
//	                   │
//	                   └─ Index ──→ control plane ──→ consumers ── Source.Open ──→ records
//
// A producer writes one object with all its partitions, one after the other
// ([Create], [Writer.Write], [Writer.Commit]). Commit answers with an [Index],
// which travels in the producer's completion message; the coordinator gives
// each consumer the slice it needs ([Index.Slice]). The consumer opens its
// partition of every object ([Source.Open]). Open climbs a ladder and takes
// the first rung that holds the bytes intact:
//
//	local   the file, in a directory of this host: mapped, or read when small
//	store   the uploaded object: ranged GETs into a pooled buffer
//
// # Laws
//
//	X1  An object is visible under its name whole or not at all.
//	X2  Every byte before the footer is under one partition's checksum, and no
//	    partition is parsed before its checksum was verified, on every rung, on
//	    every read.
//	X3  A rung whose bytes are missing or differ is passed over for the next.
//	    When none is left the partition is lost ([ErrLost]) and the error says
//	    why each rung had no answer. Nothing missing ever reads as empty.
//	X4  Records are built over the verified bytes without a copy, from the index
//	    alone, and every offset and length in them is checked (package block).
//	X5  The schema and the index come from the control plane, never from the
//	    object. Where an index is forged, reading may fail but not crash; a
//	    forged schema may exhaust memory.
//	X6  The row hash of a partition depends on its rows alone. A recomputed
//	    partition with another hash held other rows: consumers of the first must
//	    run again.
//
// # The file, version 1
//
// All numbers little-endian. Partitions lie in ascending order, from offset 0
// on, without gaps; empty partitions take no bytes.
//
//	partition 0 │ partition 1 │ … │ footer │ trailer
//
// A partition starts at a multiple of 64 and is a complete Arrow IPC stream
// (format version V5), which any Arrow reader opens from its range:
//
//	schema message      Index.Schema: ff ff ff ff, int32 length, flatbuffer, padding
//	record batch        any number:
//	  ff ff ff ff
//	  int32             length of what follows up to the body
//	  flatbuffer        Message{RecordBatch}
//	  zeros             to the next multiple of 64 of the file
//	  body              the buffers, each from a multiple of 64 on, zeros between
//	ff ff ff ff 00 00 00 00   end of stream
//	zeros               to the next multiple of 64
//
// All of that, padding too, is the partition's Length and under its CRC32C
// (Castagnoli). A validity bitmap without nulls is left out; offsets of strings
// and lists start at 0.
//
// The footer is the index in its binary encoding, with an empty Name and
// Object and a Size of 0. The trailer is 16 bytes:
//
//	uint32   length of the footer
//	uint32   CRC32C of the footer and of the four bytes above
//	8 bytes  "CAPXCHG1"
//
// The index in binary ([Index.MarshalBinary]). uvarint and varint (zigzag) are
// those of encoding/binary; a string is a uvarint length and its bytes:
//
//	uvarint  version, 1
//	string   Name
//	string   Object
//	uvarint  Size
//	string   Schema
//	uvarint  Total
//	uvarint  First
//	uvarint  number of partitions that follow
//	each partition:
//	  uvarint  Length; nothing more when 0
//	  uvarint  Offset
//	  uvarint  Rows
//	  uint32   CRC32C
//	  uint64   RowHash
//	  string   Codec
//	  uvarint  number of batches
//	  each batch:
//	    uvarint  Rows
//	    uvarint  number of arrays; each: varint Length - Rows, uvarint Nulls
//	    uvarint  number of buffers; each: varint distance of Offset from the end
//	             of the buffer before (0 for the first) rounded up to 64,
//	             uvarint Length
//
// # Left out
//
// Compression (Codec is carried and must be empty), the rungs of the same
// process and of other executors, merging of objects before upload, hedged
// and coalesced reads over several partitions, and memory budgets. The format
// and the interfaces leave room for them.
package shuffle
