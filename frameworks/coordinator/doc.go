// Package coordinator is the loop around the machine of a coordinator: what
// every framework whose coordinator is a pure state machine has in common.
//
// # Model
//
// A framework writes two things: a [Machine], which takes events and answers
// with effects in the manner of raft's RawNode, and how its effects are carried
// out. [Run] is the one goroutine between them and the host.
//
//	host ── core.Event ──→ Hear ─→ ┌─────────┐
//	ticker ───────── Tick ───────→ │ Machine │ ─→ effects ─→ Do ─→ host, store
//	lane ─── what Go came to ────→ └─────────┘                │
//	   ↑                                ↑──────── Then ───────┤
//	   └──────────────────── Go ──────────────────────────────┘
//
// What takes long and is no word to the host (listing an input, committing a
// result, writing a file) runs beside the loop, on one lane. What comes of it is
// an event as any other.
//
// # Laws
//
//	L1  The machine is stepped by one goroutine, an event at a time, and the
//	    effects of a step are carried out in their order before the next event.
//	L2  The events that an effect brings about at once (a state that was saved)
//	    come next, before anything that the host has said meanwhile.
//	L3  While the machine is opened nothing is lost: what the host says waits, in
//	    order, behind Begin. A cancel ends what opens it. If that had done its
//	    work by then, the machine hears of the cancel as of any event.
//	L4  After an effect that failed no effect of the step is carried out: none
//	    follows from a state that was not saved.
//	L5  The lane does one piece of work at a time, in the order in which they
//	    came, and each comes to one event.
//	L6  Run owns no goroutine after it returns: what the lane was doing is told to
//	    stop, and waited for.
//
// # Left out
//
// Retries, timeouts and whatever else is a decision: the machine's. What a state
// holds: [Encode] and [Decode] only give it a version. Gangs are left to the
// host when Run returns.
package coordinator
