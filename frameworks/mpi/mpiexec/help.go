package mpiexec

// Long is what `capstan mpiexec --help` says.
const Long = `Runs an MPI program, built with MPICH or a library of its ABI or with Capstan's Go
package, as a gang, prints what its ranks print, and ends with the exit code of
the first rank that fails. With no host running it starts one for the occasion.

  capstan mpiexec -n 4 ./heat --steps 100
  capstan mpiexec -n 1 ./boss : -n 3 -env LEVEL 2 ./worker
  capstan mpiexec -n 2 ./in-go : -n 2 capstan mpi-rank python3 in-python.py
  capstan mpiexec -configfile line.txt

Of a program, before it:
  -n, -np N             its ranks (default 1)
  -wdir DIR             where they run
  -env NAME VALUE       a variable; -envall, -envnone, -envlist A,B: of those here

Of the whole, wherever they stand:
  -ppn N                ranks in each executor (default all of them)
  -genv NAME VALUE      a variable of all; -genvall, -genvnone, -genvlist A,B
  -l, -prepend-rank     begin each line with its rank
  -s 0                  standard input goes to rank 0 (as it does anyway)
  -bind-to core|none    each rank has cores of its own
  -configfile FILE      more of the same, a program a line

Capstan's own:
  --memory, --cpu       of each executor
  --image IMAGE         of the executors; --network: they have one of their own
  --failure POLICY      what a lost rank brings about: abort, restart, continue
  --restarts N          how often all may start again
  --checkpoint DIR      what of the working directory outlives a restart
  --finalize-grace TIME let ranks go that wait in MPI_Finalize for others
  --walltime, --queue, --name, --quiet
  --state DIR, --launcher docker|process   as of the other commands

Programs find the environment of this command, but for what only means something
here and what looks as if it held a secret: name it with -env, or say -envall. The
host's scheduler chooses the nodes, so lists of hosts are refused.
`
