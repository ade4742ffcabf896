// Package journal keeps what has to survive a crash of the host: jobs, the
// records of what happened to them, coordinators' saved state, and a few small
// values of the host's own.
//
// # Model
//
// One SQLite file in WAL mode, one writer goroutine, a few reading
// connections. [Journal.Commit] is the one way in:
//
//	Commit ─┐                  ┌ transaction: Tx, Tx, Tx … ┐
//	Commit ─┼─→ writer ─→ group┤                           ├─ one fsync ─→ answers
//	Commit ─┘                  └───────────────────────────┘
//
// While one group is being written the next one gathers, so that a hundred
// callers at once cost about as many fsyncs as two.
//
// # Laws
//
//	J1  What Commit has acknowledged survives kill -9 and a loss of power
//	    (synchronous=FULL).
//	J2  A Tx is there whole or not at all, also within a group that fails: then
//	    each of its members is tried by itself.
//	J3  Records are numbered in the order in which they were committed, from 1,
//	    for ever; numbers are not reused.
//	J4  One host has a journal at a time. The lock ends with the process.
//	J5  A full disk is an error that wraps [ErrFull]; nothing that was
//	    acknowledged is harmed, and the journal goes on once there is space.
//	J6  After an unclean end the file is checked before it is used. A damaged
//	    one is refused, never repaired by guessing.
//
// # Left out
//
// What records mean, which jobs are old enough to be forgotten (the host),
// copies on other machines.
package journal
