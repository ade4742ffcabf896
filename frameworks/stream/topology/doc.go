// Package topology is what a topology consists of, whatever it was written in,
// and what is wrong with one.
//
// # Model
//
//	Topology ┬ Component  source, operator or sink: a built-in (Use) or a process (Exec)
//	         │   └ Output a stream that it emits: fields, and whether it is direct
//	         └ Edge       who reads which stream of whom, and how it is dealt out
//
// [Bind] holds a topology against the built-ins there are (a [Catalog]), learns
// from them what they emit, and answers with all faults at once. Every fault
// has the path of what is at fault in the document it came from: a component
// and an edge know where they stand (At).
//
// # Laws
//
//	G1  Nothing here reads a file, a clock or the environment, and the same
//	    topology gives the same faults in the same order.
//	G2  After Bind without faults every edge names components that are there, a
//	    stream that its component emits, and fields of that stream; every reader
//	    is reached by a source; and no edges go round in a circle.
//	G3  An id is written by whoever writes the topology, and never made up: state
//	    is found again by it. Flux has ids; so has the native form.
//	G4  Task ids begin at 1, in the order of components: processes are told of
//	    them, and those of Storm take 0 for none.
//
// # Decisions
//
// Storm lets streams go round in circles. A barrier that is aligned would wait
// for itself, so a circle is refused, with the way round it told.
//
// A value without a declared type is of type json: its JSON text, in the bytes
// in which it was emitted. Grouping by such a field goes by those bytes, without
// what JSON lets vary (spaces, the escapes of text, the order of members).
//
// # Left out
//
// What built-ins do, and how tasks are placed.
package topology
