// Package algorithm holds the BSP programs that a spec can name: what a user
// runs without writing a line of code.
//
// # Model
//
//	algorithm: {use: pagerank, with: {iterations: 10}}
//	            │                     │
//	            └─ [Find] ─→ Algorithm ─ New(Setup) ─→ peer.Program ─→ peer.Run
//
// An [Algorithm] is a name, a sentence, its options with their defaults, and
// how a program is made of them. [All] lists them: a literal, no registration.
// Programs that work on a graph load it themselves, with what they need of it,
// from the peer's splits.
//
// # Laws
//
//	A1  Options are decoded strictly. An unknown option, a wrong type and a value
//	    out of range are all told at once, each with its place and its remedy.
//	A2  A program is made without reading anything: New fails on options only.
//	A3  Results are lines of (vertex as the input names it, value), each vertex
//	    once. Integers are identical whatever the gang, the partitioner and the
//	    memory; sums of floating point numbers differ in rounding alone.
//	A4  Every program is a peer.Keeper: it goes on from a checkpoint with the
//	    same bits as if nothing had happened.
//
// The semantics of PageRank, BFS, WCC, SSSP, label propagation and local
// clustering are those of LDBC Graphalytics 1.0.
package algorithm
