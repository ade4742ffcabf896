// Package directives makes Batch documents of scripts that were written for
// Slurm or for PBS and Torque: their #SBATCH or #PBS lines say what they need.
//
//	job.sh ─→ settings (line, option, value) ─→ request ─→ document
//	flags ──────────↗ override
//
// It is a room of the Batch framework, since it writes that kind's body, and no
// part of package cli, which knows no framework: main.go hands it to the
// commands. It imports nothing that a coordinator or a worker is made of.
//
// # Laws
//
//	D1  Every option is honoured, accepted with a warning that says what it does
//	    not do, or refused by name with its line. None is dropped silently.
//	D2  All faults of a script are told at once.
//	D3  A flag overrides the directives, as sbatch's do; of two directives for one
//	    option the later counts. Two options that contradict each other are a
//	    fault, unless one of them is a flag.
//	D4  The same submission makes the same document: the time and the submitter's
//	    environment come in as values.
//
// # What a script gets
//
// The script runs once, on rank 0, as under sbatch and qsub. A rank is the
// job's part of one node: `-N 2 --ntasks-per-node=4 -c 2` is a gang of two with
// eight cores each, on two hosts. Without a number of nodes it is one, so that
// a script that starts its own processes has all that was asked for.
//
// Of a range of nodes (-N 2-4) it is the least. Slurm chooses within the range when
// the job starts, once. An elastic gang (gang.min) is another thing: it wins and loses
// executors while the script runs, which then waits for peers that are gone, or leaves
// idle those that came. So kind Batch has no elastic gangs, and the range is warned of.
//
// The working directory is a folder of the task's own unless the job names one:
// there is no home that every machine has. SLURM_SUBMIT_DIR and PBS_O_WORKDIR
// name the working directory, so that `cd $PBS_O_WORKDIR` goes nowhere. The
// submitter's environment does not travel, but for the variables that
// --export and -v name.
//
// Where a script has #SBATCH and #PBS lines, the first count, as for sbatch.
//
// # Left out
//
// srun, job steps, and prologues; heterogeneous jobs, which are gang.roles in a
// document.
package directives
