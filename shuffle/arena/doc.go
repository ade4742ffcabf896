// Package arena holds memory for reuse: where the images of exchange objects
// are put together, and where readers on the same host find them.
//
// # Model
//
//	Pool ── Get ──→ Block      memory of this process, in huge pages
//	Arena ─ Get ──→ Segment    a file of a directory, mapped: Publish gives it a
//	                           name, Recycle takes the name away
//
// Most of the cost of fresh memory is the kernel's: a page fault for each
// 4 KiB, zeros that nobody reads, and as many entries to take down at the end.
// Memory that was used before has none of it. Shared memory of a mount with
// huge=advise is taken in pages of 2 MiB, for its readers' sake too: their
// mappings have few faults.
//
// # Laws
//
//	A1  What Get returns has undefined content: the last user's bytes.
//	A2  A Segment is visible under a name from Publish to Recycle, whole.
//	A3  A published segment's bytes change only after Recycle, and only if no
//	    reader holds a lock on the file ([Lock]). One that is held is unlinked
//	    instead: its readers keep it until they are done. Unless it is
//	    published, the arena itself holds a segment's lock, alone: who opened
//	    the file before it was taken back is refused.
//	A4  Idle memory is bounded by MaxIdle; beyond it what is given back is
//	    freed at once. A Pool with a Bound keeps idle only what that leaves beside
//	    the blocks in use.
//	A5  After Close nothing of the arena is left in the directory but what is
//	    published.
//	A6  With a Bound the files of an Arena, published, idle and in use together,
//	    have at most so many bytes; whoever has no room is told ([ErrFull]).
//
// Locks are of the open file description (F_OFD_SETLK): they end with the
// process that holds them, and work across containers on one kernel.
//
// # Left out
//
// Who may recycle when: the owner of an edge knows when its last consumer has
// finished. Memory shared between hosts.
package arena
