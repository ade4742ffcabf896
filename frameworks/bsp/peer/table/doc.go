// Package table is where the ranks of one host meet: a barrier in shared memory
// at which each says something, and all hear one answer.
//
// # Model
//
//	rank 0 ─ word ─┐                                ┌─ answer ─→ rank 0
//	rank 1 ─ word ─┼─→ whoever comes last: judge ───┼─ answer ─→ rank 1
//	rank 2 ─ word ─┘                                └─ answer ─→ rank 2
//
// The memory is a file that all ranks map:
//
//	0     uint32  number of ranks
//	64    uint64  words said, in all rounds
//	128   uint32  rounds that were answered: a futex
//	192   uint64  length of the answer
//	200   uint32  ranks that have read the answer, where it lies in a file
//	256   each rank's length of its word, uint64, 64 bytes apart
//	..    each rank's word, up to [wordRoom] bytes; the answer, up to [answerRoom]
//
// What is longer lies in a file beside it, whose name ends in the rank, or in
// "answer". Who reads the answer last removes it; where a rank dies first, it goes
// with the directory.
//
// Who comes last judges, so nobody is woken only to wake the others: a round of
// n ranks costs n-1 sleeps and one call that wakes all. On two cores eight
// processes meet in some 30 µs; over the links of a mesh, where each word wakes
// its receiver, it took thirty times as long.
//
// # Laws
//
//	T1  All ranks hear the same bytes, which the one that came last made of all
//	    words of the round.
//	T2  A rank looks before it sleeps only where the host has a core for each.
//	T3  A rank that waits looks by itself from time to time whether it has been
//	    told to give up: nobody can wake it on behalf of one that died.
//	T4  The file loses its name after the first round. What the memory holds is
//	    checked against its bounds; the ranks trust each other beyond that.
//
// # Left out
//
// Ranks on several hosts; systems other than Linux.
package table
