// Package exchange measures the local exchange: one producer scatters rows into
// partitions, and every partition is read back, on one machine.
//
// # Model
//
//	batches ─→ PartitionedWriter ─→ image ─→ file, arena or memory ─→ Source.Open ─→ rows
//	            hash, scatter        CRC32C, row hash                  CRC32C, checks
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
//	    a running executor does not.
//
// # Left out
//
// Generating the rows, which is not timed. What the kernel does later, in
// threads of its own, to bring files to the disk.
package exchange
