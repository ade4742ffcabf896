// Package mpisuite runs other people's test programs of MPI under Capstan and
// under the launcher they were written for, and says where the two differ.
//
// # Model
//
//	source of MPICH ─ configure, make ─→ programs ─┬─ mpiexec.hydra ──┐
//	testlists ─────────────────────────→ cases ────┼─ server ─────────┼─→ record ─→ table
//	                                               └─ capstan mpiexec ┘
//
// A case is a program with its ranks, arguments and environment, as a line of
// MPICH's own testlist has it, or one test file of mpi4py. A [Launcher] runs it,
// within a limit of time. A case has passed if it has said "No Errors" and
// nothing else and has ended with 0, or as its line demands otherwise.
//
// The launcher "server" is package pmi alone, without a host: ranks are children
// of this process. What fails there is the server's fault; what fails only under
// "capstan" is that of kind MPI around it.
//
// # Laws
//
//	S1  Both launchers get the same program, arguments, environment and limit, and
//	    one runs at a time.
//	S2  A case that has run is in the record, with its output's end, however it
//	    ended; one that is in the record is not run again unless it is asked for.
//	S3  A case out of time is told as that, and not as failed: ranks of MPICH spin,
//	    and on few cores some cases need more than any limit, under every launcher.
//	S4  Nothing of a case runs on when its result is known.
//
// # Choices
//
// The programs are Debian's source package of mpich, got by apt-get with lists of
// its own in the cache, and built with the mpicc of the machine's MPICH.
//
// MPICH's spawn programs say "No Errors" without spawning where the universe is no
// larger than the world, as Capstan tells them; Hydra names no universe, so they
// try, and Debian's MPICH 4.0 opens no port over UCX. That they pass only here tells
// nothing.
//
// # Left out
//
// Tests of MPICH's fault tolerance (ft), which Debian's MPICH is built without,
// and of its performance (perf).
package mpisuite
