// Package coordinate decides, for one attempt at a Batch job, which task runs,
// which runs again, and how the job has ended.
//
// # Model
//
// [Machine] is a bare state machine in the manner of raft's RawNode: Step takes
// an event and answers with effects. [Run] is the goroutine around it.
//
// A gang that is up has a task for each rank, or one on rank 0 (`per: gang`).
//
//	            ┌────── try again, restart ──────┐
//	            ↓                                │
//	waiting ─→ running ──→ done                  │
//	   ↑          │ └────→ failed: retries left ─┤
//	   └─ lost ───┘         else the gang has failed
//
// A job without an array has one gang and ends with it. Of an array, each
// granted element is a gang of its own, main[17]; it comes up, ends, and is
// forgotten but for its count and, if it failed, its index.
//
// # Laws
//
//	B1  A task that has ended well is not run again, unless its gang gives way
//	    or restarts, or executor and coordinator are lost together.
//	B2  A number of a try is never used twice for a rank, in whichever generation
//	    of the coordinator.
//	B3  When a rank fails for good the others are told to end, and the job ends
//	    when all have, or their executors are gone. In an array this concerns
//	    the element; the others go on.
//	B4  The loss of an executor does what gang.restart says: none fails the gang,
//	    member runs the task again on the executor that takes its place, role and
//	    gang run all tasks of the role or gang again, together. A rank may be lost
//	    three times; the fourth fails the gang.
//	B5  A gang that gives way works on until its last grace, and may end by then;
//	    then it is told to keep what it needs (spec.signal). A task that ends after
//	    that is unfinished, whatever its exit code, and runs again when the gang is
//	    placed again.
//	B6  What an array costs in memory goes with the elements that run and with
//	    the runs of indexes that failed, not with its length.
//	B7  The machine reads no clock, starts no goroutine, does no I/O and ranges
//	    over no map where order shows: the same events give the same effects.
//
// # Left out
//
// Time: timeouts and the grace between a signal and the kill are the worker's,
// which is there when the coordinator is not.
package coordinate
