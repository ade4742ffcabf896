// Package coordinate is the brain of one attempt at a BSP job: it decides when
// the ranks of the gang begin, from where, and what the result is.
//
// # Model
//
// [Machine] is a bare state machine in the manner of raft's RawNode: Step takes
// an event and the time and answers with effects. [Run] is the one goroutine
// around it: it turns the host's events into the machine's, and carries out
// effects against the host, the input and the output.
//
// All ranks run together, or none does: an incarnation. When one is lost the
// others are stopped, keep what they hold in memory, and wait for the one that
// is placed anew; then all go on from the last checkpoint in the next
// incarnation, with a mesh of its own.
//
//	list ─ save ─→ hellos ─ save ─→ incarnation ─ all done ─ save ─ commit ─ end
//	                 ↑                │  ↖── checkpoint ─ save
//	                 └─── rank lost ──┘
//
// # Laws
//
//	C1  The number of an incarnation is saved before any rank hears of it, so it
//	    is never used twice: what a late rank writes cannot be taken for
//	    another's.
//	C2  An incarnation begins when every rank is up, has said hello, and none
//	    still runs another one.
//	C3  A checkpoint counts when every rank has written its part. That is saved
//	    at once, or a quarter of a second after the last save, or with the
//	    eighth. Two are kept; the files of older ones go after the save, so that
//	    what is saved is there.
//	C4  An incarnation begins from the newest checkpoint that counts. One that
//	    cannot be read is struck out, with a note, and the one before it is
//	    taken; without any the job begins anew. The answer is the same.
//	C5  The result is what the ranks of the last incarnation say it is. What they
//	    wrote before the checkpoint gone on from is part of that checkpoint.
//	C6  A new generation adopts an incarnation that every rank says it is in.
//	    Otherwise it stops them all and begins the next, from a checkpoint that
//	    was saved: a rank that is lost together with a generation can cost what
//	    C3 puts off. A result that was saved is committed, and nothing runs again.
//	C7  The machine reads no clock, starts no goroutine, does no I/O and ranges
//	    over no map where order shows: the same events give the same effects.
//
// # Who fails
//
// An error of the program fails the job at once, with rank and superstep: it
// would meet the next incarnation as well. A rank that is lost is repaired;
// Config.Repairs times in a row without a new checkpoint or a superstep further
// than before fail the job. A damaged checkpoint counts for nothing.
//
// # Giving way
//
// A gang that has to give way is asked for a checkpoint at the next barrier.
// Its files, and what supersteps cost so far, are brought to the store, since the
// gang's folder goes with the gang; then the gang is released and asked for again. What is not in time
// costs the supersteps since the last checkpoint in the store.
//
// # Left out
//
// Gangs that change their size: a checkpoint has a part for each rank.
// Restarting one rank while the others wait in memory at their barrier: they
// would have to keep the messages of every superstep since its last checkpoint.
package coordinate
