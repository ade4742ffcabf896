// Package host is the running loop: it turns submits into journalled jobs,
// lets core/gang place them, has a launcher start their executors, runs their
// coordinators through the plugin supervisor, and cleans up after them.
//
// # Model
//
//	            ┌──────────── Host ────────────┐
//	API ──────→ │ jobs ─→ gang.Scheduler       │ ─→ launch.Launcher
//	            │   │          │ actions       │
//	            │ attempt ─ gangRun ─ member   │ ⇄ executor.Server ⇄ executors
//	            │   │                          │
//	            │ clerk ─ calendar.Calendar    │
//	            └───┼──────────────────────────┘
//	                ├─→ Frameworks.Run (a plugin process)
//	                └─→ journal (before any acknowledgement)
//
// One mutex guards the jobs and the scheduler; whatever blocks (journal,
// launcher, plugins, store) runs outside it, in a goroutine of the job's or
// the lease's own.
//
// # Laws
//
//	H1  Nothing is acknowledged before the journal has it.
//	H2  A lease is granted by one journal commit for the whole gang, before any
//	    executor starts.
//	H3  Restarting the host kills no healthy executor: what the journal and the
//	    launcher both know is adopted, what only the launcher knows is stopped,
//	    and no executor is declared lost before it had time to dial in again.
//	H4  When a job is final, its door to the store is fenced; executors, gang
//	    directories, credentials and temporary objects go at once after, or at
//	    the next start if the host dies in between.
//	H5  What acts under a lease belongs to it: when the lease ends nothing is
//	    added to what it has, and it is removed when nobody acts any more.
//	H6  A job's commits reach the journal in the order in which they were
//	    taken, and an outcome is seen by nobody before it is there.
//	H7  The commit decides, not the cancel. A coordinator that answers nil has
//	    succeeded, whatever it was told meanwhile. One that was ended without
//	    an answer (after its grace, with its gang, by a walltime) may have
//	    committed: its door is fenced, and one more generation, told to end, is
//	    asked. Only its "no" makes the job cancelled or failed; its silence is
//	    recorded as not knowing. What has saved nothing has committed nothing.
//	H8  A message goes to the executor its sender meant, or to nobody: by a rank
//	    a coordinator means the executor it had heard of when it sent, however
//	    late the host reads that; and what a lost executor had still to say is
//	    not heard after its loss.
//	H9  An ended job is forgotten, with its events and its log, when it is neither
//	    young nor recent enough (Config.KeepJobs, Config.KeepFor) and nothing of
//	    it is left to sweep; its result stays. A shipped file goes when no job
//	    and no schedule names it and nobody has asked for it for a day.
//	H10 A command reaches the coordinator after the journal has it, in the order
//	    of the numbers, and again in each generation until it is answered. Who
//	    asked may leave: the command stays.
//	H11 A volume has one gang at a time, of one job, and the next one begins when
//	    nothing of the one before is left. It is removed when somebody asks for
//	    that and no job that has not ended has had it.
//	H12 A schedule's firing is in the journal before its job is submitted, and
//	    its job is kept until the schedule has heard of its end: a host that
//	    comes back submits what it had not, and tells what it had not heard.
//	H13 The scheduler knows how every job ended that the journal keeps, and the
//	    journal keeps every job that one that has not ended is to come after. A
//	    hold is in force before it is acknowledged, a release once it is written.
//
// # Left out
//
// What a job computes (frameworks), where bytes lie (shuffle), how engines
// work (launch), how commands look (cli).
package host
