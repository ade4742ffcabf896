// Package coordinate is the brain of one attempt at a MapReduce job: it decides
// which task runs where and when, what runs again, and what the result is.
//
// # Model
//
// [Machine] is a bare state machine in the manner of raft's RawNode: Step takes
// an event and the time and answers with effects. [Run] is the one goroutine
// around it: it turns the host's events into the machine's, and carries out
// effects against the host, the input and the output.
//
//	list ─ save ─┬────────────────→ map ──────→ reduce ─ save ─ commit ─ end
//	             └ sample ─ save ──↗   ↖─────────┘
//	               (by: range)         output lost
//
// A stage is a list of tasks. A task is open, has tries in flight, or is done;
// the first try that finishes makes it done, all others are cancelled.
//
// # Laws
//
//	M1  Nothing that follows from a decision is sent before the decision is
//	    saved: splits before the first task, bounds before the first map task of
//	    a range job, the list of parts before the commit.
//	M2  Each task counts once: one try of it is in the result, with its parts,
//	    its counters and its rows.
//	M3  A number of a try is never used twice for a task, in whichever generation of
//	    the coordinator: no two tries can write one file.
//	M4  A finished task stays finished when its executor dies: map output lies
//	    in the gang's shared folder and parts lie in the store. It runs again
//	    only if a reader reports its output lost.
//	M5  A reduce result counts only if what it read has the row hashes of the
//	    map outputs that count. A map function that answers differently when run
//	    again costs time, not correctness.
//	M6  A slot is taken until its try has answered, also after it was cancelled:
//	    an executor never has more tries than slots.
//	M7  Whatever is killed, and whenever, the same answer comes out: a new
//	    generation plans nothing again, asks every executor what it holds and
//	    goes on; a commit may be repeated.
//	M8  The machine reads no clock, starts no goroutine, does no I/O and ranges
//	    over no map where order shows: the same events give the same effects.
//
// # Who fails
//
// A try that fails counts against its task and its rank; the task runs again
// elsewhere first, and fails the job after Tasks.Attempts failures, or at once
// if the worker says that another try cannot help. A try without progress for
// Tasks.Timeout counts as failed. A try whose executor died counts apart, since
// most such tries are bystanders: twice the attempts fail the job. A map whose
// output was lost as often as attempts fails it, too.
//
// # Left out
//
// Locality: executors of one gang see the same input and the same shared
// folder. Starting reduce tasks before the last map task: the exchange is read
// by index, so they would only wait and hold a slot.
package coordinate
