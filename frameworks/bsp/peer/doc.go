// Package peer is one rank's runtime of a BSP program: messages, supersteps,
// aggregators, checkpoints.
//
// # Model
//
// A [Program] runs on every rank of a gang. Between two calls of Sync, a
// superstep, it computes and sends; after Sync it finds what was sent to it.
//
//	         Send, SendBlock        mesh        inlet            Messages, Blocks
//	program ────────────────→ lane ──────→ arriving mail ─ Sync ─→ program
//	                                            └ past the budget: disk
//
//	Sync     every rank ─ word: messages sent to each, votes, aggregators ─→ rank 0
//	         every rank ←─ answer: messages to expect, results, checkpoint? ── rank 0
//
// # Laws
//
//	P1  What was sent in a superstep is there after its Sync, each message
//	    once, ordered by sender and then as it was sent. Aggregators have the
//	    same bits on all ranks. So a program that is deterministic but for its
//	    messages is deterministic.
//	P2  Sending waits for no program: every rank takes what comes while its
//	    program computes. Messages in memory are bounded by a quarter of
//	    Config.Memory, then they go to disk; what is on its way out is bounded
//	    by an eighth of it, and by [backlog] for each rank, but for longer
//	    messages, one for each rank. A message longer than an eighth, or a block
//	    or record longer than a quarter, is refused.
//	P3  A rank holds at most its share of another's shared memory; what is
//	    beyond it is copied, so that no sender is starved by messages that are
//	    kept for the next superstep, or for a checkpoint.
//	P4  A checkpoint is of one superstep on all ranks: the program's state,
//	    messages not yet read unless it says that it does without them,
//	    aggregators, counters, the place in the output. Going on from it gives
//	    the rows, counters and messages of an undisturbed run, bit for bit. One
//	    that cannot be written is dropped, and the job goes on without it.
//	P5  A checkpoint is begun when Config.Every supersteps have passed since the
//	    last was begun, but none while one is being written, or held: then at
//	    the first barrier after that. Nobody waits for the writing, so that a
//	    loss costs Every supersteps and those that passed while the checkpoint
//	    was written, and twice those if they are more than Every.
//	P6  A rank whose program fails ends all: each sees a [*RankError]. A rank
//	    that is lost is a *mesh.PeerError on all. Run leaves no goroutine.
//
// # Left out
//
// Finding ranks, and running again after a loss: package work's. Balancing
// between ranks, combining messages: a program's or an engine's.
package peer
