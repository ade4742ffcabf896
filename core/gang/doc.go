// Package gang decides which gangs run where, and when. It is a state machine
// without surroundings: events go in, actions and explanations come out.
//
// # Model
//
// A [Request] asks for a gang: executors that are placed together, in roles of
// their own sizes if it likes, or one gang for each index of an array. A
// [Scheduler] knows nodes, queues and gangs. [Scheduler.Step] takes one
// [Event], changes the state and returns the [Action]s that the host has to
// carry out, in order. Time comes as the Now of an event, in Unix milliseconds;
// [Scheduler.Next] says when the next [Tick] would matter.
//
//	       hold, begin, dependencies,
//	       one job of a name at a time
//	Submit ─→ held ⇄ waiting ─── Grant ───→ starting
//	                  ↑  │                     │    │ Started
//	                  │  │ never fits, too     │    ↓
//	                  │  ↓ late: Refuse        │  running ─→ Release
//	                  │ (gone)                 │    │  │ walltime: Expire
//	                  │                        │    │  └─→ expired ─→ Release
//	                  ├──── Revoke: start ─────┘    │ GiveWay: others need
//	                  │     failed, node down       ↓ the room, node drained
//	                  └──── Revoke: notice over ── leaving ─→ Release
//
// Cancel ends a gang in any state, with a Revoke if it holds anything. A
// running gang that loses a rank keeps running with a hole; MemberReplace asks
// for one executor to fill it. An elastic gang starts with its minimum or more,
// grows when there is room to spare, and shrinks before anybody is made to go.
//
// Each pass serves repairs, then the gangs in the order of package queue. What
// does not fit gets a reservation: the nodes and the start that the walltimes
// allow to know; if they do not, nodes that are kept free for it. Whoever comes
// after may use what the reservations leave.
//
// # Laws
//
//	G1  A gang is granted whole or not at all, at least the minimum of each role;
//	    Grant names a node for each rank.
//	G2  What is granted on a node never exceeds its capacity.
//	G3  The same events give the same bytes: no clock, randomness, float,
//	    goroutine or map order. A log of them replays (see AppendEvent).
//	G4  Repairs go first, then the order of the queues. The head of the line and
//	    Reserved more hold reservations, which nobody behind them breaks. A gang
//	    that could not run even if every node that is up were empty (its node is
//	    down or draining) is passed, for it would hold up all others for nothing.
//	    So is one that its own job keeps out with gangs of which no end is known:
//	    the third copy of a service on two nodes that each may have one.
//	G5  A requeued gang keeps its place: its arrival stays its own.
//	G6  Leases never repeat. An event that names an old lease is ignored: what is
//	    said late of one life of a gang does not touch the next.
//	G7  Actions of one result are carried out in order: a Revoke stands before
//	    the Grant of what it frees.
//	G8  A gang is refused only if it would not fit on all known nodes, empty
//	    and whether up or not, if its queue could never admit it, if it cannot
//	    end by its deadline any more, or if what it waits for cannot come true; a
//	    cluster without any node refuses nobody, and nobody is refused for its
//	    size who was accepted in an earlier life of the host.
//	G9  Whatever waits can say why: all blockers, the smallest change that would
//	    unblock it, and the latest start if the walltimes allow to know it.
//	G10 Gangs are displaced whole, only as many as are needed, and only if the
//	    gang they make room for then fits; first ranks that an elastic gang can
//	    do without. Whoever has to go has notice, and keeps its place in line.
//	G11 An element of an array that waits or has ended costs nothing but a place
//	    in a set of intervals.
//	G12 A node on which starts keep failing takes nobody for a while, unless there
//	    is no other.
//	G13 A pass that was much work is followed by no other for a while, in
//	    proportion to what it looked at (not to the time it took: law G3), and
//	    the next sees to all that happened meanwhile. Next says when it is due.
//	G14 A gang that was passed by more work than nine hundredths of the most that ever
//	    waited (see promises) goes before all that were passed by less, and its
//	    planned start is put off no more for whoever comes behind it.
//	G15 Gangs like one that had to give way stand back: whoever else waits is
//	    offered first what is free, for some times as long as they ran in vain, a
//	    minute at the most, or until one of them is over. They displace nobody
//	    meanwhile; what the others leave is theirs at once, as are a start that
//	    was planned for them and what law G14 gives them.
//
// # Cost
//
// A gang that finds no room costs a search in vain, and then what it takes to know
// when there will be some: for N nodes, and R runs of ranks on a node that end
// before, O(N) to begin and O(R) to follow, once for each ask among the first
// [Reserved] in line and once more for each gang that nodes are kept for. Plans by
// walltimes cost O(gangs promised) times O(moments), for each gang that may start.
// An estimate plans for each gang before by itself, so it is O(n²) in those, and
// looks at 2 [Reserved] of them at the most.
//
// Measured (`capstan bench schedule --only scaling`, one core of an AMD EPYC),
// the life of a gang of four from Submit to Release, in microseconds of CPU:
//
//	nodes, nobody waits      100: 31    1,000: 6    10,000: 8    100,000: 10
//	waiting, 1,000 nodes      10: 3,047   100: 3,911   1,000: 4,758
//	                      10,000: 6,488   100,000: 6,949   1,000,000: 11,005
//
// While there is room the cost does not go with the nodes: it is O(1), and varies
// more between runs (6 to 50) than between sizes. With gangs in line each life has
// two passes, which lay the plans of the first [Reserved] anew: some milliseconds,
// and of whoever stands behind next to nothing, by the 0.1th power of the line.
//
// # Left out
//
// Starting and stopping (the host), how ranks lie in the topology (package
// place), whose turn it is (package queue), when schedules fire (package
// calendar), how long a gang will run (package predict).
package gang
