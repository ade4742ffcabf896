// Package work is the hands of a topology on a gang: the worker that runs a
// rank's tasks.
//
// # Model
//
//	inbox ──→ ┌──────── Worker ─────────┐ ──→ Told, Ended
//	          │ incarnation ─ Part ─ mesh ─── other ranks
//	          └─────────────────────────┘
//
// # Laws
//
//	K1  One incarnation runs at a time: the next begins when the one before has
//	    returned.
//	K2  Shared memory for batches on their way is an eighth of the executor's.
package work
