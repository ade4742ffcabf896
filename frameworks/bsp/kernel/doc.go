// Package kernel runs graph programs that say what they do instead of doing it
// vertex by vertex: each vertex says a value along its edges, hears the sum of
// what its neighbours said, and takes a new state from it.
//
// # Model
//
//	        Prepare                gather                  Apply
//	state ──────────→ column ═══════════════════→ sums ──────────→ state
//	(program's)       of all vertices, by         of own vertices   (program's)
//	                  the rows of the CSR
//
// A [Kernel] is a [Semiring], by which values of neighbours, and weights of
// edges, become one, and two functions over ranges of vertices. No function of
// the program is called for an edge. A [Loop] runs it: it pulls over the rows
// of edges instead of sending messages. What travels between ranks is each
// rank's part of one column, once in a superstep: dense, or, where few vertices
// say anything new, only what is new.
//
// Values travel as C and are summed as A: float32 and float64 make PageRank
// twice as fast as float64 throughout, since what counts is how much of the
// column the caches hold, and change its result by a part in ten million.
//
// # Laws
//
//	K1  An iteration is one Sync, or two where vertices are cut (graph.Need.Cut);
//	    those of cut vertices carry partial sums. One more ends the last, so that
//	    the supersteps of a loop hold all of it and nothing else.
//	K2  Sums are computed in an order that the partition alone decides, not the
//	    number of cores: the same gang gets the same bits.
//	K3  A rank holds a column of C for all vertices of the graph. All else goes by
//	    its own vertices and edges.
//	K4  Rows are read in ascending order, once an iteration, so that edges may lie
//	    in a mapped file.
//
// # Left out
//
// Columns of mirrors alone, which would be shorter than the graph where ranks
// are many and cuts small. Frontiers: programs in which most vertices have
// nothing to do, such as BFS, follow the edges of those that have.
package kernel
