// Package waits is how a rank tells others what it waits for, without a message:
// it writes a [Wait] to a file of its own, and whoever asks reads it there.
//
// # Model
//
//	rank ─ Word.Set ─→ file, one page ─→ Read ─ worker ─→ Cycle ─ coordinator
//
// A rank that waits for one of several is free when one of them is; a rank that
// waits for all it names would have to say so by several waits, and says that of
// the one it sleeps for. Ranks that can never be free are a [Deadlock].
//
// # Laws
//
//	W1  Set costs a rank that does not wait nothing: it is called by who sleeps, or
//	    by a clock, never for each message.
//	W2  What Read returns was the rank's wait at some moment: one that was being
//	    written is not read.
//	W3  A deadlock is only what holds in two readings, since what a rank waits for
//	    may be on its way: Number says whether it is the same wait.
//
// # The page, byte by byte
//
//	0   uint64  odd while it is being written; 0: nothing was ever
//	8   uint32  length of what follows
//	12  the wait as JSON; length 0: the rank waits for nothing
package waits
