// Package shuffle is the data plane's exchange: partitioned data sets between
// two stages, written once, committed, then read by many.
//
// # Model
//
//	producer ── PartitionedWriter ─→ one object: memory, arena or file ──→ store
//	                   │
//	                   └─ Index ──→ control plane ── PlanReads ──→ consumers ── Source ──→ records
//
// A producer writes one object with all its partitions, one after the other.
// [PartitionedWriter] takes records in any order and a partitioner: it gathers
// rows within a budget of memory, then moves each value straight to its place.
// [Writer] takes the records of one partition after the other. Commit answers
// with an [Index], which travels in the producer's completion message; the
// coordinator divides the partitions among consumers by their exact sizes
// ([PlanReads]), and gives each the slices it needs ([Index.SliceRange]). The
// consumer opens its partitions of every object ([Source.OpenAll]): those that
// lie side by side are read together. A reader climbs a ladder and takes the
// first rung that holds the bytes intact:
//
//	memory  this process's own ([Registry]): the records lie over the writer's image
//	local   a file, or a segment of an arena, of this host: mapped, or read when small
//	peer    another executor: raw bytes into pooled buffers (package peer)
//	store   the uploaded object: ranged GETs of up to 16 MiB into pooled buffers
//
// How much an object must outlive is its [Durability].
//
// What goes to a store may be merged first ([Merge]): the objects of one
// executor's wave of tasks become one, so that a store has E·W objects and PUTs
// of E executors in W waves, whatever the number of tasks. S3 takes up to 5 GiB
// in one PUT, if the store's client is told to send as much.
//
//	task 0 ─→ object ─┐
//	task 1 ─→ object ─┼─→ Merge ─→ partition 0: of task 0, 1, 2 │ partition 1: … ─→ one PUT
//	task 2 ─→ object ─┘
//
// # Runs
//
// A PartitionedWriter that passes its budget moves what it has into an image
// and appends that to its spill file as a run: a message per partition. At the
// end each partition is the concatenation of its messages, copied and not
// decoded: a message lies on multiples of 64 and means the same wherever it is
// moved. The last run is joined from memory.
//
//	records ─(budget)─→ run 0 │ run 1 │ …   spill file      partition 0: run 0, run 1, … last
//	        ─(Commit)─→ last run            in memory   ─→  partition 1: run 0, run 1, … last
//
// # Laws
//
//	X1  An object is visible under its name whole or not at all.
//	X2  Every byte before the footer is under one partition's checksum, and no
//	    partition is parsed before its checksum was verified, on every rung, on
//	    every read. A spilled message is verified before it is copied.
//	X3  A rung whose bytes are missing or differ is passed over for the next.
//	    When none is left the partition is lost ([ErrLost]) and the error says
//	    why each rung had no answer. Nothing missing ever reads as empty.
//	X4  Records are built over the verified bytes without a copy, from the index
//	    alone, and every offset and length in them is checked (package block).
//	    What is compressed is copied once, by decompressing it.
//	X5  The schema and the index come from the control plane, never from the
//	    object. Where an index is forged, reading may fail but not crash; a
//	    forged schema may exhaust memory.
//	X6  The row hash of a partition depends on its rows alone. A recomputed
//	    partition with another hash held other rows: consumers of the first must
//	    run again. Hashes of different versions do not compare.
//	X7  A PartitionedWriter holds records of at most half its budget, or one
//	    record, and an image about as large. Joining reads 8 MiB, or one
//	    message, at a time. One spill file per task, which has no name and goes
//	    with the process, but for law L7.
//	X8  The rows of a partition lie in the order they were written in, whatever
//	    the budget.
//	X9  A plan of reads depends on the indexes alone. It has each partition of
//	    each object once; a share is neighbouring partitions of all objects, or
//	    one partition of some neighbouring ones.
//	X10 A partition of a merged object holds the batches of its inputs in their
//	    order, each verified and then copied, not decoded. Its row hash is the
//	    sum of theirs. Where the dictionaries of its inputs are the same bytes
//	    they are copied too; else they are joined, each value once, and of the
//	    batches the indices alone are written anew. Merging holds 8 MiB at a
//	    time, or one partition of one input, beside what is mapped and the
//	    dictionaries of its inputs.
//	X11 With Source.InFlight set, its readers hold at most so many bytes of
//	    pooled memory, or those of one call that needs more (a damaged copy is
//	    held beside that while its intact parts are). A call has all or
//	    none of what it may copy, and asks for it in one step: of two calls that
//	    wait, neither holds what the other needs. They are served in the order
//	    of asking, so that a large one is not passed over for ever.
//	X12 A partition of a PartitionedWriter begins with all values that the
//	    writer met of each dictionary; or, where these would take twice the room
//	    of the rows in all partitions together, with the values its own rows
//	    use, if those are half of them or fewer. Partitions of more than 8 MiB
//	    in several runs, and objects for a registry, have all.
//
// # Live edges
//
// Consumers in the gang, on the producer's host, may read its runs before the
// commit ([Live]): those of its process by memory, others where the runs lie, in
// its spill file, of which an [Announcer] tells them. There is no queue to
// overflow and no one to wait for:
//
//	L1  The producer waits for no consumer. A run goes to the spill file, and to
//	    a consumer while there is credit for it; the first that finds none is
//	    the last that is offered.
//	L2  A consumer reads every row once, in the order of the committed object:
//	    k runs, then that object's batches from number k on.
//	L3  Only the consumer waits, for its producer, and only where it has nothing
//	    to read. So none waits in a circle, with one thread or many, however
//	    slow a consumer is, and if it has gone.
//	L4  Rows read before the commit are void if it does not come ([ErrAborted]).
//	    A producer in another process that dies, or that is not heard of any
//	    more, is one that does not commit; if it did, its object is read anew.
//	L5  Queued runs and the records over them take at most the credit. A run's
//	    checksum is verified; a damaged one is read from the object, and so is
//	    what follows it.
//	L6  Between processes no data travels, but announcements. Of these at most
//	    256 KiB, or one, wait for one consumer; as with credit, the first run
//	    that finds no room is the last that is announced. The consumer takes
//	    them as they come, whatever its readers do: what it does not keep it
//	    reads from the object. So they hold nothing up that shares their link.
//	L7  A spill file that is announced has a name in its directory, until the
//	    producer commits or aborts. That of a producer that died is removed by
//	    the first consumer that finds its link ended. Where no such consumer is
//	    left either, the owner of the directory removes it with that: the gang's
//	    host, when the gang has ended.
//	L8  What an announcement says is checked before it is used: one that makes
//	    no sense ends the edge as the producer's death does. It takes memory in
//	    proportion to its length, names no file but a spill file, and brings no
//	    schema (law X5).
//
// A consumer on another host waits for the commit: the peer rung finds objects
// by names that the control plane knows, and a spill file has none such.
//
// Announcements are bytes, each whole and in order ([Sender], [Receiver]); a
// line of package mesh carries them. They begin with their kind, and have the
// numbers and batches of the index below:
//
//	1  opening    uvarint version, 1
//	              string  Codec
//	              uvarint partitions of the producer, the first announced, and
//	                      the one behind the last announced
//	              string  Schema
//	2  run        uvarint its number, from 0
//	              string  name of the spill file
//	              uvarint number of partitions; each:
//	                uvarint length of its message; nothing more when 0
//	                uvarint offset in the file
//	                uint32  CRC32C
//	                a batch, with Raw, whose extents count from the message
//	3  committed  the index of the partitions announced; the last
//	4  aborted    the last
//
// # Dictionaries of merged objects
//
// Each task has met the values of a column in an order of its own, and a
// partition has one dictionary before its batches. Three ways lead there. To
// let each input's dictionary replace the one before it, between the batches,
// would copy all batches as they are; Arrow's readers take that, but the index
// then needs dictionaries by batch, and a consumer of such records meets
// another dictionary with each. To put the dictionaries one behind the other
// and add a constant to the indices makes them as long as all inputs' together,
// in every partition, and runs out of narrow indices. So they are joined, by
// the values: where a wave's tasks have seen much the same words the result is
// hardly longer than one of them, a table in place of a constant costs the
// indices nothing more, and neither index nor readers change.
//
// # The file, version 2
//
// All numbers little-endian. Partitions lie in ascending order, from offset 0
// on, without gaps; empty partitions take no bytes. A broadcast is written
// once: all its partitions have the place of the first.
//
//	partition 0 │ partition 1 │ … │ footer │ trailer
//
// A partition starts at a multiple of 64, as every message in it does, and is a
// complete Arrow IPC stream (format version V5), which any Arrow reader opens
// from its range:
//
//	schema message      Index.Schema: ff ff ff ff, int32 length, flatbuffer,
//	                    zeros to the next multiple of 64
//	dictionary batch    one for each dictionary of the schema, in the order of
//	                    their IDs, which count from 0, depth first; never a delta
//	record batch        any number
//	ff ff ff ff 00 00 00 00   end of stream
//	56 zeros
//
// A batch of either kind:
//
//	ff ff ff ff
//	int32             length of what follows up to the body
//	flatbuffer        Message{RecordBatch} or Message{DictionaryBatch}
//	zeros             to the next multiple of 64
//	body              the buffers, each from a multiple of 64 on, zeros between;
//	                  there may be 64 zeros more than that needs
//
// All of that, padding too, is the partition's Length and under its CRC32C
// (Castagnoli). A validity bitmap without nulls is left out; offsets of strings
// and lists start at 0.
//
// With a codec the RecordBatch has a BodyCompression, of the method BUFFER. A
// buffer is then empty, or an int64 and bytes: the length before compression
// and a frame (LZ4 or Zstandard), or -1 and the buffer as it was, where a
// sample of the column or the buffer itself came out less than 1.3 times
// smaller, or has under 128 bytes. Dictionary batches are never compressed.
//
// The footer is the index in its binary encoding, with an empty Name and
// Object and a Size of 0. The trailer is 16 bytes:
//
//	uint32   length of the footer
//	uint32   CRC32C of the footer and of the four bytes above
//	8 bytes  "CAPXCHG2"
//
// The index in binary ([Index.MarshalBinary]). uvarint and varint (zigzag) are
// those of encoding/binary; a string is a uvarint length and its bytes:
//
//	uvarint  version, 2
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
//	  uvarint  number of dictionaries
//	  each     a batch, without Raw
//	  uvarint  number of batches
//	  each batch:
//	    uvarint  Rows
//	    uvarint  number of arrays; each: varint Length - Rows, uvarint Nulls
//	    uvarint  number of buffers; each: varint distance of Offset from the end
//	             of the buffer before (0 for the first) rounded up to 64,
//	             uvarint Length as it lies in the file
//	    uvarint  Raw, with a codec only
//
// # Version 1
//
// It is read, and no longer written. Its trailer ends in "CAPXCHG1", and:
//
//   - the index says 1, has no dictionaries and no Raw; Codec is empty;
//   - the schema message is padded to 8 bytes, so that the first batch of a
//     partition starts on a multiple of 8; zeros before its body make up for it;
//   - 8 bytes end the stream, then zeros to the next multiple of 64;
//   - RowHash is another function (package block).
//
// # Left out
//
// Live edges between hosts, of broadcasts and of dictionary columns (their
// consumers wait for the commit). Merging of sorted runs (a partition has a
// batch per run; consumers merge). Who drops an object of a [Registry] or an
// arena when its last consumer is done: the owner of the edge. What a writer's transforms allocate is theirs and not under its budget.
package shuffle
