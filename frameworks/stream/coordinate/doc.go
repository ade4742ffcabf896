// Package coordinate is the brain of a topology on a gang: it has the ranks run
// their tasks, leads them through epochs, and begins anew from the last one when
// a rank is lost.
//
// # Model
//
//	            all up, said hello, idle               loss, error
//	gathering ────────────────────────────→ running ─────────────→ gathering
//	    ↑ Query, Stop                        Begin n │ package epoch
//	    └────────────────────────────────────────────┘ Commit, Done
//
// Between two incarnations every rank is stopped. What an incarnation began and
// did not commit has not happened (law T1 of package stream).
//
// # Laws
//
//	C1  An incarnation begins when every rank is up, has said hello and runs
//	    nothing, and no commit is under way.
//	C2  Its number and its owner's name are its own: no other incarnation,
//	    generation or attempt has them.
//	C3  A run that goes back to the same epoch more than repairs times ends with
//	    the error that sent it back last.
//	C4  Nothing has to be saved: a generation that follows finds the last epoch in
//	    the store.
//
// # Left out
//
// Repairing one rank alone: all go back to the last epoch.
package coordinate
