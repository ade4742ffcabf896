// Package work is the hands of a service: the worker that runs one copy's
// command in its executor, probes it and stops it.
//
// # Model
//
//	orders ──→ ┌────────── Worker ──────────┐ ──→ statuses
//	           │  run ─→ command ⇄ probes   │
//	           └────────────────────────────┘
//
// One goroutine decides; the command's end, the probes' findings and the times
// that are over come to it as values.
//
// # Laws
//
//	K1  At most one command runs at a time. The next run begins when the one
//	    before is gone, with all that it started.
//	K2  Probes run here, beside the command: what they need is not reachable
//	    from outside, and a hundred copies cost the host nothing.
//	K3  A copy that is told to go is first no longer ready, and says so; the
//	    signal comes after the drain time, the kill after the grace.
//	K4  Every order is answered with a status, and every change is told.
package work
