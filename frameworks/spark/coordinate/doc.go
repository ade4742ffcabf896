// Package coordinate decides, for one attempt at a Spark job, what starts when,
// what a loss means, and how the job has ended.
//
// # Model
//
// [Machine] is a bare state machine in the manner of raft's RawNode: Step takes
// an event and answers with effects. [Run] is the goroutine around it.
//
//	          gang up          ready            all serve            done
//	waiting ─────────→ master ───────→ workers ─────────→ driving ─────────→ ended
//	   ↑                                   a run                      │
//	   └────────────────────────── gives way ─────────────────────────┘
//
// # Laws
//
//	K1  The application starts when Spark's master runs and every worker has
//	    registered with it: it never sees half a gang.
//	K2  A worker's executor that is lost is replaced, and what takes its place
//	    serves the same master; Spark computes again what was lost. With the
//	    driver's executor the application is lost: the attempt fails.
//	K3  A run's number is never used twice in an attempt, in whichever generation
//	    of the coordinator; what a rank says of another run is not heard.
//	K4  A new coordinator asks every rank what it holds and goes on from there: an
//	    application that runs is not disturbed.
//	K5  The job has ended well if the application has: exit code 0, its results and
//	    its event log kept.
//	K6  The machine reads no clock, starts no goroutine, does no I/O and ranges over
//	    no map where order shows: the same events give the same effects.
//
// # Left out
//
// Starting a worker's process again when it dies: the worker's own. Retries of the
// application: metadata.retries, and Spark's own of tasks and stages.
package coordinate
