// Package mpiexec makes an MPI document of a command line as people type it for
// MPICH's mpiexec:
//
//	mpiexec -n 4 -env OMP_NUM_THREADS 2 ./heat --steps 100 : -n 1 ./viewer
//
// # Model
//
//	arguments ─ Parse ─→ Line: options, programs ─ Document ─→ document, by what
//	                                                  ↑         the host has
//	                                    Site: nodes, launcher, folder, environment
//
// Options before a program are that program's; -genv and its kin, and those that
// say something of the whole, are the line's wherever they stand. A hyphen may be
// doubled.
//
// # Laws
//
//	X1  An option that is known and cannot be honoured is refused, with the reason;
//	    one that is not known is refused, with its name. None is ignored but those
//	    that ask for what is so anyway.
//	X2  Programs find the environment of whoever typed the line, but for names that
//	    only mean something there, and those that look as if they held a secret: a
//	    document is kept. -envall passes the latter, too.
//	X3  Without -ppn all ranks are in one executor: they share memory, and start
//	    as fast as one process does.
//
// # Choices
//
// On plain processes ranks run where the line was typed, or in -wdir. In
// containers they run in a folder of the job's own, with the files linked into it
// that the arguments name by a bare name; -wdir shows a folder read-only.
//
// Where the host has fewer cores than ranks the executors ask for what there is:
// oversubscribing is the typist's decision.
package mpiexec
