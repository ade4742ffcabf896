// Package vertex runs vertex programs (Pregel, Giraph) as a BSP program: each
// vertex has a value and edges, computes once in a superstep, and sends messages
// that are there in the next one.
//
//	type pageRank struct{ iterations int64 }
//
//	func (p pageRank) Compute(v *vertex.Vertex[float64, struct{}, float64], in []float64) {
//		if v.Superstep() > 0 {
//			sum := 0.0
//			for _, m := range in {
//				sum += m
//			}
//			*v.Value = 0.15/float64(v.Vertices()) + 0.85*sum
//		}
//		if v.Superstep() < p.iterations {
//			v.SendToNeighbours(*v.Value / float64(v.Degree()))
//		} else {
//			v.VoteToHalt()
//		}
//	}
//
// # Model
//
//	superstep s:  master ─→ Compute of every active vertex ─→ Sync ─→ mutations ─→ superstep s+1
//	                             │                                ↗
//	              combined: a column by target ── dense │ sparse ─┘ blocks, by rank
//	              not combined: (target, message) ── sorted ──────┘
//
// A rank holds its vertices' values in one array and their edges in the CSR of
// package graph. A message names its target by [Ref], a dense number, so that
// combining it is one array access: with a [Combiner] a rank keeps one message
// for each target of the whole graph, without one it sorts its messages by
// target and sends them in pieces. Type parameters are compiled; nothing is
// looked at by reflection but once, when a program is made.
//
// # Laws
//
//	V1  A vertex is active in superstep 0. It sleeps once it has voted to halt,
//	    and wakes when a message comes. The program ends when all sleep and no
//	    message is on its way, or when the master says so.
//	V2  Messages of one target come in the order of the sending rank, and within
//	    it in the order of the sending vertices. With a combiner there is one.
//	    So the same partitions give the same bits, whatever is lost and repaired.
//	V3  Mutations asked for in superstep s are carried out before superstep s+1:
//	    edges removed, vertices removed, vertices added, edges added. The
//	    resolver decides what becomes of conflicts. Requests of one target are
//	    taken in the order of law V2.
//	V4  Aggregated values, the master's decisions and the counts of vertices and
//	    edges are the same on all ranks: the master runs on every rank, and must
//	    be a function of what it is given.
//	V5  With several cores the vertices of a rank are divided once, by edges:
//	    the division depends on the graph and on the number of cores alone.
//	V6  Values and message columns stay in memory: the size of V and of M, and
//	    two bits, for a vertex. Edges may lie in files, messages that are not
//	    combined are spilled by package peer.
//
// # Left out
//
// Vertices as Go objects, and a map of edges by target: a vertex of ten edges
// would cost as much as fifty. Changing the order of edges.
package vertex
