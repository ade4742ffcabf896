// Package coordinate decides for an MPI job: when a world starts, when its ranks
// leave a barrier, what a lost rank brings about, and how the job ended.
//
// # Model
//
// A [Machine] takes events and answers with effects; package coordinator runs it.
// It has a world for each gang: the job's own, "main", and one for each that a
// rank has spawned.
//
//	           GangUp            Holds of all         Ended of all
//	waiting ─────────→ greeting ─────────────→ running ───────────→ over
//	   ↑                  ↑                       │ Stop
//	   │                  │ again                 ↓
//	   └──── GiveWay ─────┴──────────────────── stopping
//
// # Laws
//
//	C1  A world begins when all its executors are there and none runs an earlier
//	    run of it: together or not at all.
//	C2  Nobody leaves a barrier before all executors of the world that have a rank
//	    left are in it (law P2 of package pmi).
//	C3  A coordinator that takes over asks what is there, and goes on from it: a
//	    world that began goes on, whatever was said and not heard.
//	C4  With failure abort the first lost rank ends the job, and is what it failed
//	    with; with restart all ranks end and begin again, at most so often; with
//	    continue the others go on, and are told (PMI_dead_processes). MPI_Abort ends
//	    the job under each of them.
//	C5  A rank that has finished with MPI and exits with another code than 0 fails
//	    the job, when the others have ended.
//	C6  What a rank has spawned is part of the job: its loss is as one of the
//	    world's that spawned it, and it goes when that world begins again.
//
// # Left out
//
// What a rank prints, its process and the wire to it: the worker's. Bounds of
// time: an executor that is silent is lost by the host's word.
package coordinate
