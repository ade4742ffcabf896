// Package spec is the body of a document of kind Stream: its Go form, its JSON
// Schema, and the topology that it stands for.
//
// # Model
//
//	spec:                             topology.Topology
//	  sources:   [{id, use | exec}]      Components of role source
//	  operators: [{id, …, from}]         … of role operator, and Edges to them
//	  sinks:     [{id, …, from}]         … of role sink, and Edges to them
//
// A reader says what it reads, with from: a component's id, or which stream of
// it and how it is dealt out, or a list of those.
//
//	from: words
//	from: {id: words, by: [word]}
//	from: [{id: words, stream: late, grouping: global}, other]
//
// # Laws
//
//	N1  Every component has an id that its author gave it (law G3 of package
//	    topology).
//	N2  A fault's path is that of the document: "spec.operators.1.from".
//
// # Left out
//
// Windows, event time and latency goals: the operators that would heed them.
package spec
