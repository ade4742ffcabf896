// Package mpi measures kind MPI and its native API, packages frameworks/mpi and
// shuffle/mesh, against MPICH on this machine. "capstan bench mpi" runs it.
//
// # Model
//
// The same program stands twice, in C with MPICH (program/play.c) and in Go with
// the native API ([Rank]); the transport alone, shuffle/mesh, is a third. A
// player is such a program with all its ranks, started once and asleep until it
// is told to play a batch: some thousand round trips, or collectives.
//
//	player "MPICH"   ranks ──read── a pipe for each ──┐
//	player "native"  ranks ──read── a pipe for each ──┼── rounds: a batch of each in
//	player "mesh"    ranks ──read── a pipe for each ──┘   turn, the order turned by one
//
// # Laws
//
//	P1  What is measured is checked: the first and last byte of the last message,
//	    the first and last of the sums. A wrong one ends the benchmark.
//	P2  Players alternate within milliseconds, so that what drifts on the machine
//	    meets all. Those whose turn it is not sleep in a read.
//	P3  A figure is the slowest of the fastest quarter of its batches, and its row
//	    tells the median too. On a machine that does nothing else they are about
//	    the same; on a busy one the median is that of the machine.
//	P4  A goal is held against the ratio of two figures of one run, or against
//	    ours where the goal is a time of the user's.
//
// # Choices
//
// Large messages are measured in two shapes, for they differ by up to three
// times. In the first each rank sends the same bytes again and again: after the
// first round they lie in both processors' caches, and nothing travels. MPICH's
// figures that people quote are of this shape. In the second what came is what
// goes back, so every byte crosses. "Lent" is the native receiver that reads the
// message where it lies; "copied" has it in a slice of its own, as MPICH has.
//
// TCP runs between two network namespaces where this user may make them, and
// else over the loopback. Oversubscribed is eight ranks, whatever the machine
// has: with more ranks than cores those that spin take the core from the one
// they wait for.
//
// # Left out
//
// Several machines: nothing here crosses a real wire.
package mpi
