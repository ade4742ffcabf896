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
//	program ─ Comm ─ point to point ─┬─ shuffle/mesh ─ other ranks
//	               └ collectives ────┘
//	Main ─ pmi.Client ─ launcher: rank, size, and where the others are
//	Local ─ ranks in this process, for tests
//
// # Laws
//
//	N1  Messages of one sender on one communicator are received in the order they
//	    were sent, among those that a receive would take. Messages of different
//	    communicators, and of collectives and others, never match.
//	N2  Reductions combine in the order of ranks: an operator must be associative,
//	    and need not be commutative. For one number of ranks and one length the
//	    result is the same to the bit, on all ranks and in all runs.
//	N3  A rank that is gone is an error of the calls that need it, and the error
//	    says which. See [Lost].
//
// # Rooms
//
//	pmi   the Process Management Interface, by which the ranks of a program find
//	      each other
//	door  foreign launchers within a gang: Open MPI's mpirun, Chapel's spawner
package mpi
