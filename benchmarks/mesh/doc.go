// Command mesh measures package shuffle/mesh against the programs it is held
// against, on this machine: MPICH's shared memory, and iperf3.
//
//	go run ./benchmarks/mesh [-repeat 3] [-only shm,tcp] [-cache DIR]
//
// # Model
//
// Each contender is two processes. They run in turn, all once before any runs
// again, the order turned by one each time, so that what drifts on the machine
// meets all. A run prints its batches: a size and the nanoseconds of one round
// trip (shared memory) or of one message (network). A contender's figure is the
// median of all its batches; the ratio is that of two medians of the same run.
//
//	shm   8 B and 64 MiB to and fro: MPICH (mpicc, mpiexec) and two mesh ranks
//	tcp   64 MiB messages one after the other: iperf3 and two mesh ranks, mTLS off and on
//
// 64 MiB go over shared memory twice: sent, which is one copy into shared
// memory, as a program does whose data lie elsewhere; and handed over, where the
// program had its data in a buffer of the mesh. MPICH copies once, at the
// receiver. Neither side reads what it receives.
//
// # Left out
//
// Installing the peers: mpich, libmpich-dev, iperf3. What is missing is said,
// and its lines are left out.
package main
