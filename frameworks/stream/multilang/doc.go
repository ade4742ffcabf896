// Package multilang runs Storm's spouts and bolts: processes of any language that
// speak its protocol on stdin and stdout.
//
// # Model
//
//	           handshake ⇄ pid                           heartbeats
//	tuples ─→ ┌──────── Bolt ────────┐ ─ stdin ─→ ┌─────────┐
//	          │ ledger: under way,   │            │ process │ ─ stderr ─→ log
//	emits  ←─ │ held until acked     │ ←─ stdout ─└─────────┘
//	          └──────────────────────┘
//
// Each message is JSON, which may span lines, and a line "end". The process is
// given tuples without waiting for its answers. What it emits is held until the
// tuples that it is anchored to are acked: so a process that dies, hangs or fails
// a tuple is started again alone and given again what it had not acked, and
// nothing that it had emitted of that is seen twice.
//
// Where who emits waits for the ids of the tasks that it emitted to, and they are
// known without the values (one task, all, global, shuffle: the choice is ours),
// the ids are written ahead, and the process finds them waiting. Those that are
// taken aback by ids before they ask get none with `capstan.multilang.ahead: false`.
//
// # Laws
//
//	M1  A tuple is under way from when it was given until it is acked and all
//	    that is anchored to it may be seen. An epoch waits until none is.
//	M2  Tuples that one emit is anchored to are done together, or given again
//	    together.
//	M3  What was emitted without an anchor is held until all that was given before
//	    it is acked.
//	M4  A process that has something to do and says nothing for the timeout
//	    (topology.subprocess.timeout.secs, else supervisor.worker.timeout.secs, else
//	    30 s) is killed. One that dies so often in a row without an ack ends the
//	    topology's run, with its last words.
//	M5  An ack or anchor of what is not under way, an emit to a stream or of as
//	    many values as were not declared, and what is no message, are the
//	    process's fault: it is killed and started again.
//
// # Decisions
//
// A spout's tuples are acked when the epoch that they are in is committed: all
// that follows from them is then. That costs nothing for each tuple, where Storm's
// ackers halve the rate; an ack comes up to an epoch later, and a topology with
// topology.max.spout.pending asks for an epoch when that many are out. A spout is
// told fail by nobody: what a bolt fails is given to the bolt again, and what a
// run loses is the spout's to send again when it is started again.
//
// A process is taken for stateless: what it holds in memory is lost when it ends.
//
// Processes of protocols before 0.9.3 know no heartbeats: for them
// `capstan.multilang.legacy: true` in config. Ids as such a protocol has
// them (numeric ids, a line "sync") are understood.
//
// # Left out
//
// Other serializers than JSON, dead letters, metrics beyond a line in the log, and
// the task that a tuple came from: it is told as the component's first.
package multilang
