// Package pmi serves the Process Management Interface, by which the ranks of an
// unmodified MPI program find each other, in the place of mpiexec.
//
// # Model
//
// A [Server] stands beside the ranks of one executor. Each rank has inherited one
// end of a socket and says commands on it; the server holds the other end. What
// concerns ranks of other executors goes through a [Fabric].
//
//	rank 0 ─ PMI_FD ─┐             ┌─ PMI_FD ─ rank 2
//	                 Server ─ Fabric ─ Server
//	rank 1 ─ PMI_FD ─┘             └─ PMI_FD ─ rank 3
//
// Ranks put values under keys into a space that all of them share, meet in a
// barrier, and get what others have put. So what crosses the Fabric is one fence
// for each barrier: a server hands in what its ranks have put and is handed what
// the others' have. Two ranks of MPICH need three or four fences and as many
// keys in all.
//
// # Wire
//
// Version 1.1 as MPICH's clients speak it (src/pmi/simple of MPICH 4.0): a line
// for each command, answer and back, "cmd=NAME key=value ...\n"; but spawn, which
// is several lines from "mcmd=spawn" to "endcmd".
//
// Version 2 as MPICH's and Slurm's clients speak it (src/pmi/pmi2 of MPICH 4.0):
// the first line is version 1's, "cmd=init pmi_version=2"; from then on each
// command and answer is a frame, "31    cmd=kvs-put;key=a;value=b;", its length in
// six columns and each ";" of a value doubled. A library is built with one of
// the two (--with-pmi=pmi2; Debian's is not), or chooses by PMI_VERSION where it
// has both, and says which: the environment of a rank is the same. What version 2
// cannot say is an abort's exit code: it is 1. What ranks of one node tell each
// other outside of fences goes from server to server as published names.
//
// # Laws
//
//	P1  What a rank has put before a barrier, every rank gets after it. A rank of
//	    the same server may get it before.
//	P2  A barrier lets nobody out before every rank of the world is in. If a rank
//	    is lost, nobody comes out: the gang is ended instead; or, where the others
//	    are to go on, nobody waits for it any more (Leave). World.Grace breaks this
//	    law for whoever asks for it.
//	P3  A rank whose stream ends before it has said finalize, or abort, is lost.
//	P4  What a rank says is not trusted: lines, keys and values have their bounds,
//	    a command that makes no sense ends that rank with an error that quotes it.
//	P5  A server answers each rank in order, and a rank that waits in a barrier
//	    holds up no other.
//
// # Left out
//
// PMIx. Of version 2, job-connect (MPICH joins worlds by their ports) and the name
// of a spawned world; two threads of one rank that ask at once are answered one
// after the other. The descriptor's way to the rank, its process and its
// output: the worker's. Authentication: the descriptor is inherited, no port is
// open to anybody.
package pmi
