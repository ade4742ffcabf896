// Package gang decides which gangs run where. It is a state machine without
// surroundings: events go in, actions and explanations come out.
//
// # Model
//
// A [Request] asks for a gang: so many executors, each of the same size,
// placed together. A [Scheduler] knows nodes and gangs. [Scheduler.Step] takes
// one [Event], changes the state and returns the [Action]s that the host has
// to carry out, in order. Time comes as the Now of an event, in Unix
// milliseconds; [Scheduler.Next] says when the next [Tick] would matter.
//
//	            ┌─ Revoke: StartFailed, start timeout, NodeDown ─┐
//	            ↓                                                │
//	Submit ─→ waiting ─────────────── Grant ───────────────→ starting
//	            │                                                │ Started
//	            │ never fits, or third Revoke: Refuse            ↓
//	            ↓                                             running ─→ Release
//	          (gone)                                             │ walltime: Expire
//	                                                             ↓
//	                                                          expired ─→ Release
//
// Cancel ends a gang in any state, with a Revoke if it holds anything. A
// running gang that loses a rank keeps running with a hole; MemberReplace asks
// for one executor to fill it, and waits in the same line as a repair.
//
// # Laws
//
//	G1  A gang is granted whole or not at all; Grant names a node for each rank.
//	G2  What is granted on a node never exceeds its capacity.
//	G3  The same events give the same bytes: no clock, randomness, float,
//	    goroutine or map order.
//	G4  Strict order: repairs, then priority, then arrival (package queue).
//	    Nothing passes a gang that waits for room, so a gang at the head is
//	    next to run and cannot starve. The one exception is a gang that could
//	    not run even if every node that is up were empty (its node is down or
//	    draining): it is passed, for it would hold up all others for nothing.
//	G5  A requeued gang keeps its place: it stands ahead of every peer of its
//	    priority that came after it.
//	G6  Leases never repeat. An event that names an old lease is ignored.
//	G7  Actions of one result are carried out in order: a Revoke stands before
//	    the Grant of what it frees.
//	G8  A gang is refused only if it would not fit on all known nodes, empty
//	    and whether up or not; a cluster without any node refuses nobody.
//	G9  Whatever waits can say why: all blockers, the smallest change that would
//	    unblock it, and the latest start if the walltimes allow to know it.
//
// # Left out
//
// Starting and stopping (the host), how ranks lie in the topology (package
// place), who is next (package queue). Fair share, quotas, backfill and
// preemption, and gangs of one job that must start together.
package gang
