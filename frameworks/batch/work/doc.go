// Package work is the worker of Batch jobs: it runs the tries of one rank's task
// in an executor.
//
// # Model
//
//	          ┌────────────── try ──────────────┐
//	Run ────→ │ folder, files, script           │
//	          │ process ── stdout ─┬→ job's log │ ─→ Done
//	Stop ───→ │   group    stderr ─┤→ spool ──→ │     store: s3://, or a file of
//	          │                    └→ last lines│     the host's machine
//	          └─────────────────────────────────┘
//
// # Laws
//
//	W1  A try ends with its process; what it left running in its process group
//	    is killed then. Done is sent when its streams are kept.
//	W2  A stopped try gets the job's signal, all of its group, at once or after
//	    the time it may still work, and SIGKILL when its grace is over. The same
//	    happens at spec.timeout.
//	W3  Nothing a program writes can fill memory: streams are cut into bounded
//	    lines, which the log takes at a bounded rate; a stream that is kept goes
//	    through a file.
//	W4  A script is run by what its first line names, as the kernel would, without
//	    the kernel: the folder it lies in may be mounted noexec.
//	W5  Scripts written for Slurm and PBS find the variables they read, as far as
//	    those mean anything here. The folder a job was submitted from is the
//	    working directory: there is no other that every machine has.
//
// # Left out
//
// srun and mpirun: a gang's other ranks are started by `per: rank`, or by the
// program itself from the host file.
package work
