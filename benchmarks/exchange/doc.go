// Package exchange measures the local exchange: one producer scatters rows into
// partitions, and every partition is read back, on one machine.
//
//	go test -run '^$' -bench Sweep -benchtime 3x ./benchmarks/exchange
//
// # Model
//
//	batches ─→ PartitionedWriter ─→ image ─→ file, arena, memory ─→ OpenRange ─→ rows
//	            hash, scatter        CRC32C,  or store               CRC32C,
//	                                 row hash                        checks
//
// A row is a key of 10 bytes and a value of 90. A round writes one object and
// reads all of it; its price is the CPU time of the whole process, user and
// system, which other work on the machine moves less than wall time.
//
// # Laws
//
//	E1  Every round counts the rows and adds up the row hashes it read from the
//	    index; another sum than that of the input ends the measurement.
//	E2  The yardsticks (copying memory, a bare checksum, a bare write) are taken
//	    in the same run, in the same directory.
//	E3  The first round is not counted: it takes the page faults that a task of
//	    a running executor does not. Of an arena it is two: it maps a segment when
//	    it is taken for the second time.
//	E4  The disk is measured beyond the budget of memory, with a synced object
//	    that is read from the disk. In the same round, in the same directory,
//	    direct I/O in blocks of 4 MiB writes and reads as many bytes: all that
//	    the exchange wrote and read ("of-raw"), and, in proportion, those that
//	    reached the disk ("of-device"). Spilled runs are deleted soon, and where
//	    memory is free the page cache never writes them: what reaches the disk
//	    is the object, once each way. No byte of it can be written before the
//	    last row is gathered, which may belong to the first partition, so the
//	    disk waits meanwhile ("idle"): of-device is bounded by that.
//	E5  [ShuffleRecords] is timed from records in memory to the last record
//	    looked at, by files that every consumer verifies, with as many threads
//	    as the peer has. Of the peer, too, the records lie in memory first, its
//	    start is not counted, and its fastest round counts.
//
// # Left out
//
// Generating the rows, which is not timed. What the kernel does later, in
// threads of its own, to bring files to the disk.
package exchange
