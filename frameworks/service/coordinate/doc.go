// Package coordinate is the brain of a service: it decides which copy runs
// which version where, what is restarted, and how a new version comes.
//
// # Model
//
// [Machine] is a bare state machine: Step takes an event and the time and
// answers with effects. [Run] is the one goroutine around it.
//
// A service has as many slots as it wants copies, numbered by ordinal. A copy is a gang of
// one executor, of one version, in one slot; while a new version comes a slot
// may hold an old and a new one. Gangs are called web-0, then web-0.g2 and so
// on; the copy's name for others is web-0 throughout.
//
//	           up          ready                    ended, or time is over
//	asked ──────→ running ⇄ ────── ready     ending ───────────→ gone
//	  ↑             │ failed: again after a pause      ↑
//	  │             ├→ in its executor, inPlace times  │ scale, update, end,
//	  └─ new gang ──┴→ in a new one                    │ give way
//	                                       any copy ───┘
//
// A version is a spec with a number. A rollout brings every slot to the target
// version: by new copies beside old ones as far as maxSurge allows, and by old
// ones that go first as far as maxUnavailable does. Canary copies go alone at
// first. A rollout fails when a copy fails update.tries times before it was
// ready, a canary fails, or nothing gets ready for update.within; then the last
// good version is rolled out in its place.
//
// # Laws
//
//	S1  Nothing is decided from a clock, map order or randomness: the same events
//	    give the same effects. Times are Unix milliseconds.
//	S2  A copy that is ready is not ended for the service's own sake (update,
//	    rollback, scale) while that would leave fewer than size - maxUnavailable
//	    copies ready. A copy of which nothing was heard since a restart counts
//	    as none, and is not ended either.
//	S3  What was decided is saved before it is done: a coordinator that comes
//	    back finds in its state every gang it may have asked for.
//	S4  A gang's name is asked for once in an attempt; a copy that is gone comes
//	    back under a new one. So nothing of an old copy is taken for the new.
//	S5  A failure ends a rollout, never the service: that ends when it is
//	    cancelled.
//	S6  A copy with volumes is alone in its slot.
//	S7  In an ordered service a copy is asked for only when every lower one is
//	    ready, and ended for scale or end only when every higher one is gone.
//
// # Left out
//
// How a command runs and is probed (package work), where copies lie (the
// scheduler), and traffic: names of ready copies are made known, and nothing
// here proxies.
package coordinate
