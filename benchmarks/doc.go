// Package benchmarks is the harness: it runs workloads through Capstan and
// through the programs Capstan is held against, and reports what both took.
//
// # Model
//
//	corpus ──→ text ─┬─→ contenders, in turn ──→ check the answer ──→ result ──→ results.json
//	                 │     capstan run SPEC          (L1)              │
//	programs, peers ─┘     single, spark, engine                      page ──→ results.html
//	                             │
//	                           meter: wall and CPU time
//
// A workload is a list of contenders and, of each repetition, one run of every
// contender. Contenders run as a user would run them: as commands, from start
// to a result on disk.
//
//	wordcount  built-in, typed and script jobs against one thread of Go and against Spark
//	latency    the 1 MB job: with no host running, and on a host that is up
//	files      many small files against the same bytes in one
//	gang       8 executors: cold and warm, against the engine's own create and start
//	exchange   the local exchange, per CPU-second; beyond the budget, against the
//	           bare disk; requests to the store; a sweep; and a shuffle of the same
//	           records against Spark's: package benchmarks/exchange
//	store      objects put and got, against minio-go: package benchmarks/store
//	terasort   a sort of records of 100 bytes against Spark's: package benchmarks/terasort
//	skew       sums of rows of which half have one key, or are in one group of keys
//	           that go to one partition, against as many rows of as many keys
//	kill       a sort that loses one executor, against one that loses none
//	mesh       two ranks, against MPICH and iperf3: package benchmarks/mesh
//	graph      PageRank, components, paths, labels and clustering on R-MAT graphs,
//	           against GraphX, one thread of Go, C++ and NetworkX; gangs of all sizes,
//	           partitioners and launchers; memory at rest; empty supersteps, checkpoints,
//	           a killed executor, little memory: package benchmarks/graph
//
// Exchange, store and mesh measure libraries, each in the way that its package tells: the
// exchange runs in this process, and the store by "go test -bench" in the
// source tree.
//
// # Laws
//
//	L1  A run with a wrong answer ends the benchmark; it is no sample.
//	L2  Contenders alternate: all run once before any runs again, and the order
//	    turns by one from repetition to repetition, so that what drifts on the
//	    machine meets all.
//	L3  Every run is a sample. None is dropped, and the spread is shown.
//	L4  Nothing is left of a benchmark but the texts and programs in its cache
//	    and the two result files.
//
// # Choices
//
// The CPU of a run is counted twice over. "All processes" is the command, the
// host, the store, the coordinator and the executors; a peer has no parts and
// is charged the same way. "Executors" is what the job's own report says. The
// script of a lines job is run alone, between pipes, over the same bytes; its
// CPU is taken off, since it is the user's and not ours.
//
// Jobs of wordcount and files start a host for the occasion, as Spark starts
// its JVM: its start and end are part of the wall time.
//
// An executor is killed by SIGKILL of its process when half the tasks of a stage
// are done and others are not. A run counts only if the job's notes tell of the
// loss, and if its output is that of the undisturbed job, byte by byte.
//
// A peer of graph that has not finished after --patience is given up, and not tried
// again: its sample says so, and a ratio to it is a bound. What the answers are held against is the program of one
// thread. Of loops the wall time is told beside that of whole runs, since a
// cluster's job reads, parts and writes what a loop finds in memory.
//
// # Left out
//
// Page caches are not dropped: every contender finds the text in memory, so
// that the disk of the machine does not hide the difference.
package benchmarks
