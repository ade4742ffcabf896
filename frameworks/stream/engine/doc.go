// Package engine runs the tasks of a topology: batches through operators, over
// links with credit, with the barriers of epochs between them.
//
// # Model
//
// A [Task] is stepped: each step takes one batch from one of its links, or hands
// in its piece of an epoch. A [Link] leads from one task to another, for one
// edge. A [Part] is the tasks of one process.
//
//	      ┌── Task ──┐   Offer ┌─────── Link ────────┐ Take   ┌── Task ──┐
//	… ──→ │ operator │ ──────→ │ batches, in bytes   │ ─────→ │ operator │ ──→ …
//	      └──────────┘   Mark  │ barriers            │ Due    └──────────┘
//	                           └─────────────────────┘
//
// Barriers have a lane of their own: one says behind how many batches it stands,
// so it can be seen before they were taken. Two things drive tasks: [Part.Work]
// gives each a goroutine; [Loom] steps them one at a time, in an order, at times
// and with faults that follow from a seed. [Run] is Work with epochs around it,
// for a topology in one process.
//
// Where a topology is divided among the ranks of a mesh, task i is on rank i-1
// modulo their number. A link between two ranks has an end on each: batches are
// messages, barriers and credits are signals.
//
//	Offer ─ Link ─ leaving ══ mesh: records ══→ entering ─ Link ─ Take
//	Mark ───────── post ═════ mesh: signals ══→ hear ─────────── Due
//
// # Laws
//
//	N1  A link holds no more bytes than its credit, but for a single batch that is
//	    longer. A task that could not send all of what it emitted takes nothing:
//	    what waits is bounded, all the way back to the sources.
//	N2  Exactly once, a task that has a barrier from one link takes nothing more
//	    from it until it has it from all. At least once it goes on, and hands in
//	    what it is when it has the last one.
//	N3  A task hands in its piece before it passes the barrier on, and after all
//	    that it emitted before was sent.
//	N4  Equal fields of a fields grouping go to one task, the one whose range has
//	    their key group: the same that restores their state.
//	N5  What an operator answers later (a process) belongs to the epoch of what it
//	    was given: its task hands in when nothing is under way.
//	N6  In a Loom the same seed gives the same run.
//
// # Left out
//
// Watermarks and timers, unaligned barriers, XOR acking: at least once is barriers
// without alignment. A snapshot is written while
// its task waits.
package engine
