// Package graph makes the graphs that the harness's graph workload runs on, the
// documents of its jobs, and reads what contenders and executors wrote.
//
// # Model
//
//	Make ─→ rmat-SCALE.txt ────→ contenders ─→ lines of ID and value ─→ Answer ─ Differ
//	        rmat-SCALE.parquet ─→ our shortest paths                       │
//	                                                          Steps ←─ the job's supersteps
//
// A graph is Graph500's: R-MAT with A = 0.57, B = C = 0.19 and 16 edges for each
// of 2^scale ids, from a fixed seed, undirected. Loops and repeats are removed,
// and so are ids without edges: those left are numbered from 0, in a shuffled
// order. The text has each edge once, `source target`; the Parquet file has a
// weight from 1 to 255 besides, a function of the two ids.
//
// # Laws
//
//	G1  A scale's graph is the same on each machine, and is written once.
//	G2  A contender reads the whole graph from a file, and writes a line for each
//	    vertex. What it took is told in two parts: the whole, and the loop alone
//	    with the graph in memory.
//	G3  Numbers are the same if they differ by 1e-4 of their size at most, as LDBC
//	    Graphalytics asks of PageRank and shortest paths, and by 1e-6 for
//	    clustering. Components are the same if they part the vertices alike.
//	    All else must be equal.
//
// # Left out
//
// Graphs that people made: packages under frameworks/bsp test those. Directed
// graphs are made of a scale's edges to hold answers against NetworkX's
// ([Graph.Direct]), and nothing is timed on them.
package graph
