// Package pool keeps warm executors: started, joined to the host, anonymous
// and empty, so that a gang of a usual shape starts in milliseconds.
//
// # Model
//
// A [Shape] is what executors must have in common to be interchangeable: node,
// image, program, files, mounts, limits. For each shape of late use the pool
// keeps sets; a set is executors that share one directory, so it can become
// one gang. The host furnishes a set (directory, bootstrap files, one-time
// tokens), the launcher starts it, the host reports who joined, and Take hands
// a whole set over.
//
//	Warm, Take ─→ furnish ─→ starting ─→ joining ─→ ready ─Take→ the host's
//	                 └──────────┴───────────┴─lost, late, old─→ stopped, discarded
//
// Deciding is apart from doing: shelf is a state machine without clock or
// goroutine, [Pool] carries out what it answers.
//
// # Laws
//
//	W1  Take hands over a set with enough members or nothing, and never waits.
//	W2  An executor is handed over once and never comes back.
//	W3  A set is ready when the launcher has started it and all its members
//	    have joined. If one is lost before it is taken, the set is discarded.
//	W4  What the pool started and did not hand over is stopped: by age, by a
//	    shape's falling out of use, or by Close, which returns when it is gone.
//	W5  At most MaxExecutors are warm or warming, of at most MaxShapes shapes:
//	    those used last.
//	W6  A shape that does not start is tried again with growing pauses, and
//	    dropped after five failures in a row, until somebody asks for it again.
//
// # Cost
//
// A warm executor waits in a read: it takes some ten megabytes and no CPU, and
// its limits are those of its shape. The scheduler does not count it: by
// taking a set, a gang brings the resources it was granted anyway. Refilling
// does cost CPU, so it begins RefillAfter a Take, one set at a time, when the
// gang that took is past its own start.
//
// # Left out
//
// Sets across nodes: a set has one directory, hence one node.
package pool
