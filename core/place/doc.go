// Package place chooses nodes for the ranks of a gang. It is pure: a fleet and
// a claim go in, a placement or the reasons against one come out.
//
// # Model
//
// Nodes lie in a tree: cluster, zone, rack, host. In topology order every
// domain of every level is one interval of them. A [Fleet] holds the nodes and
// what is taken on them; equal ranks have one shape, whose number [Fleet.Shape]
// gives. A node has room for as many ranks of a shape as fit into what it has
// free, if it satisfies their filters and nothing on it clashes with them. A
// [Claim] says how many ranks of which shapes, and one of three policies:
//
//	pack LEVEL    all ranks within one NUMA domain, host, rack or zone
//	spread LEVEL  no two ranks on the same host, in the same rack or zone
//	neither       as near to each other as there is room, wherever that is
//
//	Take, Give, Up, Close ─→ change log ─→ tally: room by node, sums by rack,
//	      (pages of nodes)    (by view)     zone and cluster, index of hosts
//	                                               │ by shape
//	Claim ─→ sight: tallies less limits ─→ search ─┴→ fill, slices, partitions ─→ Choice
//	                                         └─ refused: Explain, Relief, Shrink
//
// # Laws
//
//	P1  All ranks or none; of an elastic role at least its minimum, and then as
//	    many as fit, the first role first.
//	P2  Nearest first: the lowest level that has a domain with room for all; of
//	    its domains the one with the least room, so that the larger ones stay
//	    whole; within it the fewest hosts; of those for the last ranks one that
//	    holds the image, then the tightest. If one host does for all, one that
//	    holds the image goes before the tightest.
//	P3  Spread takes the domains with the most room, and in each the host with
//	    the most, so that load evens out. So do constraints that count ranks
//	    over several nodes.
//	P4  Ranks are numbered role after role, and along the topology: neighbours
//	    in rank are neighbours in place. A run that is shorter than a slice
//	    comes last.
//	P5  Ties go to the first in topology order. The answer depends on nothing
//	    but what was done to the fleet and the claim.
//	P6  Every no carries its reasons: [Fleet.Explain] accounts for every node.
//	P7  A claim of one role is refused only if it has no place, where the
//	    conditions that count ranks nest (host in rack in zone; host in the
//	    value of a label). Otherwise, and with several roles, the search is
//	    greedy: the scarcest role first, in each domain that has room for each
//	    role by itself. What it finds is right, but it may miss something, as
//	    packing differing ranks is a problem without quick exact answers.
//
//	F1  What a fleet counted step by step is what counting anew would give.
//	F2  Choose, Explain, Relief and Shrink leave the fleet as it is.
//	F3  Grown changes if room for a shape may have grown, and costs nothing if
//	    nothing happened: so that refusals can be remembered.
//	F4  A clone shares nothing that either could notice. Fleets belong to one
//	    goroutine each.
//	F5  What a claim finds in a Future is what it would find in a clone to which
//	    the same was done.
//
// A node without a rack or zone is in the unnamed one: nodes of which nothing
// is known could share a switch, so that spread puts one rank on all of them
// together. A rack's name counts within its zone.
//
// A preferred policy gives up one level for each step of Claim.Relax: pack
// from NUMA to host, rack, zone and anywhere, spread from zone to rack, host
// and anyhow.
//
// # NUMA
//
// A node that reports n NUMA domains has n equal shares of its capacity. Pack
// numa needs a host on which all ranks of the gang together fit into one share
// and into what is free. What is taken is not told apart by domain, for no
// launcher ties executors to one: the policy keeps gangs that one domain could
// hold from being cut in two, and does not promise that domain to them alone.
// A node that reports none takes no such gang.
//
// # Constraints
//
// LIKE and UNLIKE match the whole value, CLUSTER with a value is equality: a
// node satisfies them or not, once for each class of equal labels. APART works
// both ways: where A keeps apart from B's tag, later ranks of B keep away from
// A too, and ranks that carry the tag they keep apart from lie one to a host.
// UNIQUE, MAX_PER, GROUP_BY and CLUSTER without a value count ranks: those of
// the job that lie already, and those of the claim's roles with the same
// constraint. GROUP_BY deals ranks out evenly as far as room goes, over at
// least as many values as it says, or one for each rank if they are fewer.
// Slices are runs within one role, and begin anew for ranks put beside others:
// to repair one, pack its level beside the ranks of its run.
//
// # Cost
//
// For N nodes, of which C changed since the shape was last used: following
// changes is O(C), counting a new shape O(N). One rank, or a gang that fits a
// host, costs O(N/4096) beyond that; a refusal, or a gang that fits a rack or a
// zone, O(racks) and the nodes of that domain; a gang over the whole cluster
// O(N). Limits cost O(limits) and a copy of the counts; spread, slices over the
// cluster and constraints that count O(N); several roles O(N) for each level.
// A Future costs a copy of the counts, O(N), for each claim that watches it, and
// O(1) for each change and claim.
//
// # Left out
//
// Who is next (package queue), what is granted and to whom (package gang).
// Shapes are never forgotten: a fleet grows by some hundred bytes for each
// different one, and keeps the counts of those used last.
package place
