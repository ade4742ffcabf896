// Package epoch decides when epochs begin, when they are committed, and when
// there is nothing left to come.
//
// # Model
//
// [Machine] is a bare state machine: Step takes an event and the time and answers
// with effects, which whoever runs the topology carries out.
//
//	          tick                all pieces              committed
//	idle ─────────────→ begun ───────────────→ committing ─────────→ publishing
//	 ↑   Trigger         │                      Commit                Publish │
//	 └───────────────────┴────────────────────────────── all published ──────┘
//
// One epoch is under way at a time. The last one of a topology whose sources are
// all at their end is final: when it is published, the topology is done.
//
// # Laws
//
//	E1  Nothing is decided from a clock, map order or chance. Times are
//	    milliseconds.
//	E2  An epoch is committed when each task has handed in its piece of it, and
//	    published when it is committed; both happen once, in the order of epochs.
//	E3  The epoch that a run goes on from is published again before the first of
//	    its own begins: the run before may have ended in between.
//	E4  A piece of another epoch than the one under way is not heeded.
//
// # Left out
//
// Epochs that overlap, and what to do about one that takes too long.
package epoch
