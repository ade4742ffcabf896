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
//	    once; mst writes edges, randomwalk walks, kmeans and matmul, which read
//	    rows of numbers, centers and rows. Integers are identical whatever the
//	    gang, the partitioner, the cores and the memory; sums of floating point
//	    numbers differ in rounding alone.
//	A4  Every program is a peer.Keeper: it goes on from a checkpoint with the
//	    same bits as if nothing had happened.
//	A5  What is left to chance is a hash of the seed, of places in the order of
//	    ids, and of the step, never of ranks; ties go by the order of ids.
//	A6  What a program holds by vertex is stated where it is defined
//	    (graph.Need.Room), and what it holds by edge is claimed. A rank of too
//	    little memory for it refuses the graph with how much would do; before
//	    that, its edges lie in files (package graph's law G5).
//
// # How ranks talk
//
// Most programs keep a column for the whole graph, of which a rank touches what
// it owns and what its edges reach (mirror): an owner sends a value once to each
// rank that reads it, whatever the number of edges between them, and where few
// values changed only those. Triangles need lists of neighbours, which are sent
// once to each rank that reads them, in rounds that fit the memory. Strong
// components send numbers along edges, combined by target (pushes).
//
// # Left out
//
// Weighted matching; walks that remember where they came from (node2vec);
// centers of kmeans that skip distances by the triangle inequality; columns that
// lie in files, or take less than 4 to 17 bytes for each vertex of the graph on each
// rank. What labels of wcc take where components are very many, and names of ids
// much longer than most, are in no budget.
//
// The semantics of PageRank, BFS, WCC, SSSP, label propagation and local
// clustering are those of LDBC Graphalytics 1.0.
package algorithm
