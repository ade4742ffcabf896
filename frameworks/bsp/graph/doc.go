// Package graph makes each rank's part of a graph out of the records that name
// its edges.
//
// # Model
//
//	records ─ read ─→ edges by id ─ number ─→ edges by dense id ─ exchange ─→ rows ─→ Partition
//	(splits of        (a log on each        (the same numbers on             (CSR, at who
//	 each rank)        rank)                 all ranks)                       owns the vertex)
//
// Vertices have an id, as the input names them: an integer of 64 bits or a text.
// They have a place, which is where the id stands among all ids in their order;
// integers that lie close together are places themselves. And they have a dense
// id, by which programs know them: 0..Total-1, each rank owning a range
// ([Partition.Bounds]).
//
// [Load] reads and parts a graph in some Syncs, which the peer tells as the job's
// loading; the last ends when the partition is done. A [Partition] does not change
// afterwards; a checkpoint keeps it once ([Partition.Save], [Restore]).
//
// # Laws
//
//	G1  Every edge of the input stands in the rows as often as the input has it,
//	    loops included. An edge of an undirected graph stands in the rows of both
//	    ends, a loop in the one row once.
//	G2  A vertex is what occurs in an edge, an adjacency list or the list of
//	    vertices. Nothing else is, whatever holes ids have.
//	G3  A partition is a function of the records and of the number of ranks: the
//	    same files give the same dense ids and the same rows, in the same order,
//	    whoever has read what, and however memory was.
//	G4  A bad record is told with file and offset, of Parquet and Arrow with the
//	    number of its row (package input's law I2), and not a part of it is taken.
//	G5  Edges are held within Peer.Memory: while they are read, on their way and
//	    as rows. What is longer lies in files in Peer.Scratch, which have no name
//	    and so leave nothing behind. What goes by vertex comes first, and must be
//	    in memory: while a rank loads at most 22 bytes for each place, 4 for each
//	    own vertex and direction of rows, and where ids are no places every id
//	    that it has read; afterwards, for each own vertex, 8 bytes and its id, 8
//	    more for each direction of rows, 4 more if the graph is directed, and
//	    what the program states ([Room]). Edges have what that leaves. Where it
//	    is more than the memory, Load and Restore say how much memory, or how
//	    many ranks, would do; what programs hold by entries of rows they claim
//	    in the same way ([Partition.Claim]).
//	G6  Rows are ascending, edges of the same target by weight.
//
// # Records
//
// An edge is a line `source target [weight]`, separated by blanks, tabs or
// commas; fields that follow are ignored. Where ids are texts, tabs separate if
// the line has any, else commas, else blanks. Lines that are empty or begin with #
// or % hold nothing. Of csv, json, parquet and arrow the columns named source,
// target and weight are taken, or those that [Config] names, or else the first,
// second and third one, unless that is another of the three by its name. An adjacency list is a line `v a b c`, weighted `v a:1.5 b:2`; each entry
// is an edge of its own, so that a list of an undirected graph names an edge at one
// of its ends, or the graph is called directed.
//
// # Decisions
//
// Dense ids go by degree, most edges first, within each rank, but ByRange: what
// is read often then lies together. With ascending rows this makes a pull over
// R-MAT scale 22 four times as fast as ids in the order of the input do.
//
// Every rank computes all dense ids, from the degrees of all vertices: less than
// to send them.
//
// A vertex that has more than half of a rank's fair share of edges is cut where
// the program can cope ([Need.Cut], [Need.CutFrom]): its edges lie with whoever owns their other
// ends. So no vertex decides how long a superstep takes.
//
// How long each row will be is known before edges are sent, so that they are put
// among those of neighbouring rows as they come: as many rows together as have
// edges for a core's cache. There they are put in order, by digits of their
// targets. Until then an edge says which of the rows it is of in the bits that
// its target leaves; where those are too few, or there are weights, it takes 2
// bytes more. Out of core edges go to files by buckets of rows first.
//
// Row arrays are spans (package span): outside of the heap, in large pages.
//
// # Left out
//
// A budget for ids that are no places while they are read, which are held in
// tables until all ranks have numbered them, and for what buckets hold on its way
// to their files. What a program states for vertices of other ranks counts for all
// of them, also where own edges reach few.
//
// Properties of vertices; edges of several kinds; graphs of 2^32 vertices and
// more; vertices that come or go while a program runs, which package vertex has.
package graph
