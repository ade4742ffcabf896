// Package mpi lets Go programs pass messages as MPI programs do: ranks that send,
// receive and meet in collectives, over memory, shared memory or a network,
// whatever lies between them. It is also the room of kind MPI, which hosts
// unmodified programs of other MPI libraries.
//
//	func main() {
//		mpi.Main(func(ctx context.Context, world *mpi.Comm) error {
//			sum := []int{world.Rank()}
//			if err := mpi.Allreduce(ctx, world, sum, mpi.Sum); err != nil {
//				return err
//			}
//			fmt.Println(world.Rank(), "of", world.Size(), "says", sum[0])
//			return nil
//		})
//	}
//
// and then
//
//	capstan mpiexec -n 4 ./program
//
// # Model
//
//	program ─┬─ point to point ─┐
//	         ├─ collectives ────┼─ Comm ─ shuffle/mesh ─ other ranks
//	         └─ Window ─────────┘
//	Main ─ pmi.Client ─ launcher: rank, size, and where the others are
//	Local ─ ranks in this process, for tests
//
// A rank finds the others by version 1 of the Process Management Interface, so
// that it runs under any launcher that speaks it (mpiexec.hydra), and under
// Capstan by that and package contract. Links are made when two ranks first talk.
//
// The mesh matches messages: its tag is a context of 10 bits, which is a
// communicator's, a lane of 2 (point to point, collectives, record batches,
// windows) and a tag of 20. So a receive of this package is one of the mesh, and
// [AnyTag] is a mask. Ranks of a communicator agree on its context as MPICH's do:
// each says which it has free, and the first that all have is taken.
//
// # Laws
//
//	N1  Messages of one sender on one communicator are received in the order they
//	    were sent, among those that a receive would take, whether they were sent at
//	    once, begun, or handed over. Messages of different communicators, and of
//	    collectives and others, never match.
//	N2  Reductions combine in the order of ranks: an operator must be associative,
//	    and need not be commutative. For one number of ranks and one length the
//	    result is the same to the bit, on all ranks and in all runs.
//	N3  A rank that is gone is an error of the calls that need it, and the error
//	    says which. See [Lost].
//	N4  What was begun goes on while any call of this rank waits, be it for
//	    something else; nothing needs a rank to call that is busy elsewhere, but a
//	    large message that was asked for and whose receiver does not call.
//	N5  A message of other elements than the receiver's, or of more than it has
//	    room for, is an error that says both; it is never cut.
//
// # Algorithms
//
//	Barrier                   dissemination
//	Bcast                     binomial tree; from 256 KiB on scatter and ring
//	Allreduce                 recursive doubling; from 64 KiB on reduce-scatter and ring
//	Reduce                    binomial tree in the order of ranks
//	ReduceScatter             pairwise, combined in the order of ranks
//	Scan, Exscan              doubling distances
//	Allgather                 Bruck; from 32 KiB on and by counts a ring
//	Alltoall                  Bruck below 256 bytes from 8 ranks on; else pairwise
//	Gather, Scatter           linear: root's copies are the work, and a tree adds some
//
// Their sources, and why they change where they do, stand beside them.
//
// # MPI's names and ours
//
//	MPI_Init, MPI_Finalize             Main; Join, World.Leave
//	MPI_Abort                          an error returned by the program
//	MPI_COMM_WORLD, MPI_COMM_SELF      the program's argument; Comm.Self
//	MPI_Comm_rank, _size               Comm.Rank, Comm.Size
//	MPI_Comm_split, _dup, _free        Comm.Split, Dup, Free
//	MPI_Comm_split_type(SHARED)        Comm.SplitByHost
//	MPI_Comm_create, _create_group     Comm.Create, CreateFromGroup
//	MPI_Group_incl, _excl, _union …    Group.Include, Exclude, Union …
//	MPI_Send, MPI_Recv                 Send, Recv
//	MPI_Ssend, MPI_Sendrecv            Ssend, Sendrecv
//	MPI_Isend, _Issend, _Irecv         Isend, Issend, Irecv
//	MPI_Wait, _Test, _Cancel           Request.Wait, Test, Cancel
//	MPI_Waitall, _any, _some, _Testall WaitAll, WaitAny, WaitSome, TestAll
//	MPI_Send_init, _Recv_init, _Start  SendInit, RecvInit, Persistent.Start
//	MPI_Probe, _Iprobe                 Comm.Probe, Iprobe
//	MPI_Mprobe and _Mrecv, _Improbe    Comm.RecvMessage, Improbe
//	MPI_Bsend                          Isend: what is begun does not block
//	MPI_ANY_SOURCE, _ANY_TAG, _PROC_NULL  AnySource, AnyTag, Null
//	MPI_Type_vector, _indexed          Strided, Indexed; SendView, RecvView
//	MPI_Type_create_struct             any Go type without pointers
//	MPI_Barrier … MPI_Exscan           Comm.Barrier, Bcast, Scatter, Scatterv, Gather, Gatherv,
//	                                   Allgather, Allgatherv, Reduce, Allreduce, ReduceScatter,
//	                                   ReduceScatterBlock, Scan, Exscan, Alltoall, Alltoallv
//	MPI_Ibarrier …                     Comm.Ibarrier, Ibcast …
//	MPI_SUM … MPI_MAXLOC               Sum, Prod, Min, Max, BitAnd, BitOr, BitXor, And, Or, Xor,
//	                                   MinLoc, MaxLoc
//	MPI_Op_create                      any func(into, from []T)
//	MPI_Reduce_local                   ReduceLocal
//	MPI_Dims_create, _Cart_create      Dims, NewCart
//	MPI_Cart_coords, _rank, _shift, _sub  Cart.Coords, RankAt, Shift, Sub
//	MPI_Dist_graph_create_adjacent     NewGraph
//	MPI_Neighbor_allgather, _alltoall  NeighbourAllgather, NeighbourAlltoall
//	MPI_Win_create, MPI_Put …          NewWindow, Window.Put, Get, Accumulate, GetAccumulate,
//	                                   FetchOp, CompareSwap
//	MPI_Win_fence, _lock, _flush …     Window.Fence, Lock, Unlock, LockAll, UnlockAll, Flush, FlushAll
//	MPI_Win_post, _start, _complete, _wait  Window.Post, Start, Complete, Wait
//	errors                             errors; MPI_ERR_PROC_FAILED is Lost
//	none                               Alloc and Buffer.Hand: by reference; Records, AllreduceArray:
//	                                   Arrow; SendObject, RecvObject; package checkpoint
//
// # What was decided
//
// An operator is a function over slices, not an object with a flag: that all
// algorithms keep the order of ranks costs nothing that was measured, and nobody
// need say what commutes. A message's type stands behind its bytes, since large
// copies want to begin at a boundary. A window is served by a goroutine of its
// owner, which works on every transport and needs nothing of the owner's program,
// and costs a journey to it; while one is open, messages ring more often.
//
// # Left out
//
// Room without end: what was begun, or sent, and is not received counts against
// the mesh's window, 1 MiB of each peer's, and so do the steps of collectives. A
// program that begins more than that, and then waits for something else than its
// being received, may wait for ever; MPI lets it go on.
// A receive from [AnySource] does not go on without a rank of the world that is
// lost, be it in the communicator or not.
// Parallel files: the store's clients are there. Spawning, intercommunicators,
// attributes, profiling hooks: a Go program has what they are for. Ranks that go on
// without one that is lost have no calls to agree on it. More than 1024
// communicators at a time. Windows as memory that two processes map: what is
// beyond [Alloc] and [Buffer.Hand] is copied.
//
// # Rooms
//
//	pmi         the Process Management Interface, by which the ranks of a program
//	            find each other: server and client
//	contract    what a rank finds in its environment
//	waits       what a rank waits for, and the cycle of those who wait for each other
//	checkpoint  the state of ranks, kept
//	exec        ranks that are processes in any language: the protocol, the proxy, clients
//	            for C and Python
//	spec        the `spec:` of an MPI document: form, defaults, faults
//	mpiexec     a command line as people type it becomes a document
//	console     what ranks print and read, between mpiexec and the coordinator
//	framework   core.Framework: what the host and every executor call
//	coordinate  when ranks begin, leave a barrier, start again; a machine
//	task        what coordinator and worker say to each other
//	work        an executor's share of the ranks: processes, streams, environment
//	door        foreign launchers within a gang: Open MPI's mpirun, Chapel's spawner
package mpi
