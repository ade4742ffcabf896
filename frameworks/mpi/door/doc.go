// Package door lets launchers that know ssh start their processes in the
// executors of a gang: Open MPI's mpirun, and the spawner of GASNet, by which
// Chapel's programs start their locales. Programs and launchers are unmodified.
//
// # Model
//
// In each executor one keeper runs, as the only rank of it that the process
// manager (package pmi) knows. Keepers tell each other where they are through the
// key space, and each opens a door; then the keeper of executor 0 runs the foreign
// launcher, whose agent asks its keeper to run a command on another executor.
//
//	executor 0                              executor 1
//	keeper ─ mpirun ─ agent ─┐
//	   └──── own door ←──────┘── relays ──→ door ─ keeper ─ orted ─ ranks
//
//	capstan mpi-keep  -launcher openmpi -np 4 -slots 2 -- PROGRAM   a keeper
//	capstan mpi-agent HOST COMMAND                                  as ssh has it
//	capstan mpi-spawn -n 4 COMMAND                                  copies, as srun has it
//
// # Laws
//
//	D1  A door opens for keepers of its world alone. On one machine it is a unix
//	    socket in the gang's folder, which only the gang's user can enter. On the
//	    network it is TLS between keys that live as long as their keepers, each
//	    known to the others by its fingerprint in the key space.
//	D2  A command's input, both outputs and exit code are those of the agent that
//	    asked for it. When the connection ends, so does the command's process group.
//	D3  When the launcher has ended, every keeper ends, and the launcher's exit code
//	    is that of the world. A keeper that is lost takes the world with it.
//
// # Choices
//
// PMIx, by which Open MPI's ranks could be started without its launcher, is a
// library of C with a server's side of its own, and none exists in Go; so Open MPI
// is run by its own mpirun. The doors use the gang's network and not the
// executors' stream to the host, since what they start dials its launcher over
// that network anyway: an Open MPI program on one executor needs no network, on
// several it does, but for executors that are processes of one machine.
//
// Each executor is a host to mpirun, named executor-K, which no resolver knows. Two
// of them may be one machine with one name for it, so each has a folder of its own
// for Open MPI's shared memory: ranks of two executors of a machine use TCP.
//
// Chapel: GASNet's conduit over UDP calls "sh -c" once with our mpi-spawn -n %N %C,
// waits for it, and is killed by its shell if that ends with anything but 0; its
// workers dial the master over TCP, and all talk UDP from then on. So mpi-spawn ends
// when the last copy has, with the first code that is not 0.
//
// # Left out
//
// Terminals, forwarded ports, ssh's configuration. Reconnecting: a connection lost
// is a command lost.
package door
