// Package batch holds kind Batch: any command, script or image as a gang, run
// once for each rank or once for the gang, with arrays of such gangs.
//
// # Rooms
//
//	spec        the `spec:` of a Batch document: form, defaults, faults
//	directives  #SBATCH and #PBS lines of a script become a Batch document
//	framework   core.Framework: what the host and every executor call
//	coordinate  which task runs, again or not, and how the job ended; a machine
//	task        what coordinator and worker say to each other
//	work        one task in an executor: processes, streams, environment
//
//	job.sh ─ directives ─→ document ─ spec ─→ framework ─ Plan: one gang, "main"
//	                                             │
//	                        coordinate ⇄ task ⇄ work: process, stdout, stderr
//
// # Words
//
// A task is one run of the command: of each rank, or of rank 0 where the command
// is run once for the gang (`per: gang`). A try is one start of a task. An
// element is one gang of an array, with its index.
package batch
