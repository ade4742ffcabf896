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
//	list ─ save ─┬────────────────→ map ─ plan reads ─ save ─┬─────────→ reduce ─ save ─ commit ─ end
//	             └ sample ─ save ──↗   ↖──────────────────── └→ merge ─↗   │
//	               (by: range)         output lost            ↖────────────┘
//
// A stage is a list of tasks. A task is open, has tries in flight, or is done;
// the first try that finishes makes it done, all others are cancelled.
//
// # Reads
//
// What reduce tasks read is planned by the exact sizes of the map outputs
// ([shuffle.PlanReads]), once, after the last map task. Neighbouring partitions
// are read by one task while together they have at most 16 MiB, fit half a
// task's memory, and every slot gets eight tasks; each still becomes a part of
// its own. So 2,000 tiny partitions cost some dozen tasks, and a job with few
// partitions, or large ones, keeps one task for each.
//
// A partition of twice a slot's share of all bytes, or more, is divided by
// ranges of map tasks, where map outputs are combined and that halved the pairs: a
// merge task combines a range into an exchange file, and the reduce task reads
// these. A merge reads four map outputs or more on the average: what it makes is read
// again, so that it pays only where the same keys come from many.
//
// # Laws
//
//	M1  Nothing that follows from a decision is sent before the decision is
//	    saved: splits before the first task, bounds before the first map task of
//	    a range job, the plan of reads before the first merge or reduce task, the
//	    list of parts before the commit.
//	M2  Each task counts once: one try of it is in the result, with its parts,
//	    its counters and its rows.
//	M3  A number of a try is never used twice for a task, in whichever generation of
//	    the coordinator: no two tries can write one file.
//	M4  A finished task stays finished when its executor dies: map output lies
//	    in the gang's shared folder or shared memory, and parts lie in the store.
//	    It runs again only if a reader reports its output lost.
//	M5  A merge or reduce result counts only if what it read has the row hashes
//	    of the outputs that count. A map function that answers differently when
//	    run again costs time, not correctness, and the job's notes say so. The
//	    plan of reads stays: it says who reads what, not how much that is.
//	M6  A slot is taken until its try has answered, also after it was cancelled:
//	    an executor never has more tries than slots.
//	M7  Whatever is killed, and whenever, the same answer comes out: a new
//	    generation plans nothing again, asks every executor what it holds and
//	    goes on; a commit may be repeated.
//	M8  The machine reads no clock, starts no goroutine, does no I/O and ranges
//	    over no map where order shows: the same events give the same effects.
//	M9  A gang that gives way is handed no task in its last grace, and goes when
//	    nothing runs any more or its time is nearly over. What is done and lies
//	    in the store counts when it is placed again; nothing of it counts as a
//	    failure. Ranks that an elastic gang will lose are handed no task either.
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
// Serving exchange files to other executors (package shuffle/peer): both
// launchers run a gang on one machine, with one shared folder, so that the file
// answers wherever a peer could, also after its executor died. A launcher that
// spans machines needs it, or durability: s3-sync.
//
// Locality: executors of one gang see the same input and the same shared
// folder. Starting reduce tasks before the last map task: the exchange is read
// by index, so they would only wait and hold a slot.
package coordinate
