// Package simulate replays workloads, to see what a policy would do with them.
//
// # Model
//
// A [Workload] is jobs, each with a time of arrival, a request and the run time
// that nobody knew, and the [Machine] they are to run on. It comes from a
// [Source]: a trace of the Parallel Workloads Archive ([SWF]), the events of a
// scheduler's life ([Log]), or a [Model].
// [Run] replays it under a policy by name, and the [Outcome] holds what became
// of each job; [Outcome.Summary] is that in numbers, [Page] in pictures.
//
//	SWF, Log, Model ─→ Workload ─→ Run ─┬─ "capstan": core/gang, event by event ─┬─→ Outcome ─→ Summary, Page
//	                                    └─ the others: a machine of so much CPU ─┘
//
// The policy "capstan" is the scheduler itself, fed as a host feeds it whose
// gangs start and end at once. The others are for comparison. They share no
// code with it, and see the machine as a number of CPUs, so that they know no
// fragmentation.
//
// # Laws
//
//	M1  The same workload and policy give the same outcome, byte for byte. Only
//	    Speed depends on a clock, and only if one is given.
//	M2  No policy learns of a job before it arrives, nor how long it will run.
//	M3  A job runs for its run time, cut at its walltime.
//	M4  What a trace says and the replay does not do is in Workload.Notes, with
//	    a count: nothing is left out silently.
//
// # The policy "promise"
//
// The kernel's policy was found with this package, and "promise" is its
// prototype: see the type. The kernel has come to bound the longest waits by what
// waited and not by hours, and keeps its promises with nodes. What its parts are for, on the first 57 days of the
// HPC2N Seth log (3,145 jobs, 240 CPUs; mean wait, bounded slowdown, longest
// wait):
//
//	fcfs                               5,614 s   47.3    78,505 s
//	easy                               3,534 s   16.5    81,059 s
//	easy-fair                          2,351 s   11.0   100,916 s
//	promise                            2,231 s   12.0    86,314 s, each quoted start kept
//	  without slack                    2,960 s   14.0    80,642 s
//	  with one reservation, not two    2,385 s   12.5    87,304 s
//	  without budget                   2,174 s   11.1    85,871 s
//
// On 32 workloads of [Model] (48 to 2,048 CPUs, loads of 0.6 to 0.9, 4,000 jobs)
// its mean wait was 0.81 of easy's and its bounded slowdown 0.41 (geometric
// means; 0.98 and 0.81 at worst), and nobody waited longer than 1.24 times the
// longest of fcfs. Without the budget somebody did on 27 of them, up to four times
// as long. Eight of the workloads had a part in choosing the budget.
//
// # Left out
//
// Nodes that fail, gangs that fail to start, grow or shrink, jobs that depend on
// others or on how long they waited: a workload is replayed as if its users had
// not noticed.
package simulate
