// Package place chooses nodes for the ranks of a gang. It is pure: nodes and
// an ask go in, a placement or the reasons against one come out.
//
// # Model
//
// Nodes lie in a tree: cluster, zone, rack, host. A []Node in topology order
// (see [Sort]) makes every domain of every level one interval of the slice. A
// node has room for as many ranks as fit into what it has free. An [Ask] says
// how many ranks, how large, and one of three policies:
//
//	pack LEVEL    all ranks within one host, rack or zone; else no placement
//	spread LEVEL  no two ranks on the same host, in the same rack or zone
//	neither       as near to each other as there is room, wherever that is
//
// # Laws
//
//	P1  All ranks or none.
//	P2  Nearest first: the lowest level that has a domain with room for all; of
//	    its domains the one with the least room, so that the larger ones stay
//	    whole; within it the fewest hosts; of those for the last ranks the
//	    tightest.
//	P3  Spread takes the domains with the most room, and in each the host with
//	    the most, so that load evens out.
//	P4  Ranks are numbered along the topology: neighbours in rank are
//	    neighbours in place.
//	P5  Ties go to the first in topology order. The answer depends on nothing
//	    but the arguments.
//	P6  Every no carries its reasons: [Explain] accounts for every node.
//
// A node without a rack or zone is in the unnamed one: nodes of which nothing
// is known could share a switch, so that spread puts one rank on all of them
// together. A rack's name counts within its zone.
//
// # Left out
//
// Who is next (package queue), what is granted already (package gang), roles
// of different sizes in one gang, labels.
package place
