// Package work is the worker of MPI jobs: it runs an executor's share of a
// world's ranks as child processes, and is their process manager.
//
// # Model
//
//	            ┌──────────────────── run ────────────────────┐
//	Begin ────→ │ rank process ─ PMI_FD ─ pmi.Server ─ fabric │ ⇄ Fence, Ask
//	            │   stdout, stderr → log, last lines          │ → Ended, State
//	Stop ─────→ │   group killed                              │
//	            └─────────────────────────────────────────────┘
//
// What a rank finds in its environment is told by package contract.
//
// # Laws
//
//	W1  A rank has ended when its process has, what that left running in its group
//	    is killed, what it had said to its process manager was heard, and its
//	    output was read.
//	W2  A rank that leaves the conversation before it is through with MPI, or says
//	    MPI_Abort, is killed at once: it may spin for ever.
//	W3  Nothing that a rank prints can fill memory: streams are cut into bounded
//	    lines, which the log takes at a bounded rate.
//	W4  What was told to a coordinator that may not have heard it is kept until
//	    another one asks (law T2 of package task).
//	W5  Only one run is there at a time: the next begins when all processes of the
//	    one before are gone.
//	W6  The folder that checkpoint names is in the store before the last rank of an
//	    executor is said to have ended, and in the working directory before the
//	    first of the next run begins.
//
// # Choices
//
// A checkpoint is copied as it lies there: whoever writes one renames it into
// place, so that a rank that is killed leaves the one before. What a folder has
// on a node is not overwritten by what the store has; of what two nodes have under
// one name the store has one.
//
// The working directory, unless the job names one, is a folder of the gang's that
// all ranks of a node share, in all runs: MPI programs expect that, parallel I/O
// above all. HOME and TMPDIR are the rank's own scratch folder.
//
// Output is read as it comes, not line by line: a prompt has no end of line.
//
// A rank is bound to cores (bind: core) by the thread that starts it, which has
// the mask while it does: there is no moment at which it runs elsewhere.
package work
