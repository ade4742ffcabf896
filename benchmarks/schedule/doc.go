// Package schedule measures the scheduler, package core/gang, against its goals.
//
// # Model
//
// A workload drives a scheduler with events and adds rows to a report, each a
// figure beside its goal. All but two run the state machine alone, in this
// process, on one thread:
//
//	gangs           Submit → Grant of very large gangs, every predicate on
//	decisions       whole lives of small gangs and of arrays
//	preemption      one gang displaces some 700
//	round           one pass over 320,000 that wait
//	restart         Adopt, and replay, of 150,000 tasks
//	replay          a random life twice, byte for byte
//	scaling         cost against nodes and against those that wait
//
//	kueue-…         Kueue's load generators in real time, with run times that
//	                only pass: a heap of ends stands for the machines
//	durable         events ─→ kernel ─→ disk ─→ agents over gRPC ─→ events
//
// # Laws
//
//	B1  What is measured is checked: a gang that should have started and did
//	    not, a victim that went for nothing, a task that was lost or a byte that
//	    differs is an error, not a sample.
//	B2  Nothing that is measured repeats itself so that an answer could be
//	    remembered: gangs differ in size of rank, and the cluster changes between
//	    steps.
//	B3  What the CPU bounds is judged by CPU time: of the thread for single
//	    steps, of the whole process, garbage collection included, for stretches.
//	    Wall time is told beside it. Loads in real time and writes to disk are
//	    judged by the wall.
//	B4  Goals are held only against whole workloads (Config.Scale 1).
//
// # Choices
//
// A decision is a grant; the rate counts all that the kernel does in the life
// of its gang. A placement is one rank, and durable when the event that caused
// it, and the grant, are on disk; it counts when the agents have answered.
//
// The agents of durable speak for a rack each. They answer at once.
//
// # Left out
//
// The host: that its loop keeps up is told by package benchmarks, with jobs.
package schedule
