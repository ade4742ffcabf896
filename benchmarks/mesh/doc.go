// Package mesh measures package shuffle/mesh against the programs it is held
// against, on this machine: MPICH's shared memory, and iperf3. "capstan bench
// mesh" runs it.
//
// # Model
//
// Each contender is two processes.
//
//	shared memory  round trips of 8 B and of 64 MiB: MPICH and two mesh ranks
//	TCP            messages of 64 MiB, one after the other: iperf3 with one stream and
//	               with as many as the mesh uses, and two mesh ranks, mTLS off and on
//
// Over shared memory all four ranks stand ready and are told by pipes whose
// turn it is: a batch of one, a batch of the other, some milliseconds each, the
// order turned by one each time. Those whose turn it is not sleep. A
// repetition, with processes of its own, gives the median of each series.
//
// 64 MiB go over shared memory twice: sent, which is one copy into shared
// memory, as a program does whose data lie elsewhere; and handed over, where the
// program had its data in a buffer of the mesh. MPICH copies once, at the
// receiver. Neither side reads what it receives.
//
// # Choices
//
// Batches alternate since nothing else holds still: on a virtual machine the
// journey of a cache line between two processors was seen to take from 70 ns to
// 2 µs, and to change within seconds. Figures of one repetition compare with
// each other, not with those of the next.
//
// A batch of small messages begins with as many that do not count: after a
// process has slept, the Go runtime's monitor wakes every 20 µs for some
// milliseconds, and takes a processor from a rank each time. Programs that
// exchange without a pause do not see that.
//
// # Left out
//
// Installing the peers: mpich, libmpich-dev, iperf3. What is missing is said,
// and its series are left out.
package mesh
