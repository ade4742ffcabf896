// Package stream is the framework of streaming topologies: components joined by
// streams of tuples, which run until somebody ends them and lose nothing.
//
// # Model
//
// A topology is sources, operators and sinks (components), and who reads which
// stream of whom (edges). It comes as Storm's Flux, as a document of kind
// Stream, or from Go; package topology is the one form of all three.
//
//	Flux ──── flux ─┐
//	document ─ spec ┼→ topology ─ Bind ─→ checked, every stream with its fields
//	Go ─────────────┘                                   │
//	                                              engine, by tasks
//
// A component runs as tasks, numbered through the topology. A task is a machine
// that is stepped: it takes one batch from one of its links, and what follows
// from it goes to the links it feeds. Batches are Arrow records.
//
// Time is cut into epochs. The barrier of an epoch begins at the sources and
// passes every link behind what was sent before it; a task that has it from all
// its links (aligned) hands in its state, a source its position, a sink what it
// has written. When all have, one conditional PUT of the epoch's manifest
// commits all of it at once.
//
//	source ──▶ batch batch ▌1▐ batch ──▶ operator ──▶ ▌1▐ batch ──▶ sink
//	  │ position at 1                      │ state at 1              │ parts of 1
//	  └────────────────────────────────────┴────────────┬────────────┘
//	                                        epochs/1: If-None-Match: *
//
// # Rooms
//
//	topology   what a topology is, and what is wrong with one; pure
//	flux       Storm's YAML
//	spec       the body of a document of kind Stream
//	operator   the built-in sources, operators and sinks
//	multilang  sources and operators that are processes, by Storm's protocol
//	state      what keyed operators remember, by groups of keys
//	snapshot   manifests of epochs, and the store that they are in
//	epoch      when epochs begin and are committed; pure
//	engine     tasks and links, in goroutines, in a Loom, or divided among ranks
//	wire, coordinate, work, framework   a job on a gang
//
// # Laws
//
//	T1  What an epoch's manifest does not name has not happened: the positions of
//	    the sources, the state and the output become so together.
//	T2  Whoever holds an old attempt, or froze and came back, commits nothing: of
//	    all who would write an epoch's manifest one wins, and the others end.
//	T3  Exactly once is of what Capstan holds: positions, state, and parts of
//	    sinks. A process that keeps state of its own loses that when it ends.
//	T4  What waits between tasks is bounded in bytes, and a barrier waits for no
//	    credit.
//	T5  A topology that cannot run as it says is refused when it is submitted,
//	    by the component's name and the line; none is changed in silence.
//	T6  Nothing that decides reads a clock or draws lots: time and chance come in
//	    as values, so that a run of one process can be repeated step by step.
//
// # Left out
//
// A document of kind Stream is run by `capstan run`, on a gang; it ends when its
// sources do. What is not there yet: a command that takes a Flux file as it is (read
// as one it can be), sources that go on as files grow, Kafka, NATS, event time,
// windows and joins, dead letters, unaligned barriers, increments of snapshots,
// state beyond memory, XOR acking (at least once is barriers without alignment;
// at most once runs as exactly once), and pause, drain, rescale and savepoints as
// commands: a job that is given another's spec.state goes on from it, with as many
// tasks as it likes. An epoch of Capstan's streams has nothing to do
// with core.Epoch, which numbers attempts. What is meant to come is issue 7's
// list; each room says what it holds today.
package stream
