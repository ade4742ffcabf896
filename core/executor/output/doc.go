// Package output reads what a program in an executor writes: line by line for a
// log, whole for whoever keeps it, and its last lines for an error.
//
//	program ─ stdout ─ Stream ─┬─→ lines: the job's log, a Tail
//	                           └─→ bytes: a file
//
// # Laws
//
//	O1  Nothing a program writes can fill memory: a line is cut at 8 KiB, a Tail
//	    has 20 lines of 512 bytes. What is cut off a line is in the bytes only.
//	O2  A Stream owns both ends of its pipe and one goroutine; after Drain it has
//	    none of them.
//	O3  A process that left its group and holds a pipe open is not listened to for
//	    longer than a second.
//
// # Left out
//
// The rate at which a log takes lines: the log's own.
package output
