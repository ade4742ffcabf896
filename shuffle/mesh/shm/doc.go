// Package shm is memory that two processes of one host share: regions, byte
// rings over them, and an allocator for the payloads that are too large for a
// ring.
//
// # Model
//
// A [Region] is anonymous shared memory with a descriptor. Whoever made it
// passes the descriptor through a unix socket; the other maps the same pages.
// No file has a name, so nothing is left when the processes die, nothing is
// written back to a disk, and a region is sealed: it can neither shrink nor
// grow, so that no access to its mapping ends in a bus error.
//
// A [Ring] lies over a part of a region: one [Producer] and one [Consumer]
// pass frames through it, each in its own process, without a lock or a system
// call. A [Heap] gives out the bytes of a region that belongs to one process.
//
// # Laws
//
//	S1  A frame is seen whole or not at all: its mark is written last, and the
//	    mark of the next frame is zero by then. A process that dies in between
//	    leaves the ring as it was.
//	S2  What the other side wrote is not trusted: positions and lengths are
//	    read once, checked, and only then used. What does not fit is
//	    [ErrBroken]; no call panics, loops or reads outside its region. Once
//	    the producer is gone ([Consumer.Last]) no more frames are read than
//	    the ring can hold.
//	S3  A side that announces its sleep ([Consumer.Sleep], [Producer.Sleep])
//	    and finds nothing to do afterwards is told by exactly one wake-up of
//	    the other side ([Producer.Wake], [Consumer.Wake]). How the wake-up
//	    travels is the caller's.
//	S4  A ring and a heap allocate no memory of the process's own per frame.
//
// # The ring, byte by byte
//
// All numbers little-endian; positions count bytes since the ring was made and
// never wrap.
//
//	0    uint64  position of the consumer
//	128  uint32  1 while the consumer sleeps
//	256  uint32  1 while the producer sleeps
//	384  data, a power of two
//
// A frame starts at a multiple of 16 and may run over the end of the data to
// its start:
//
//	0   uint64  label: the caller's
//	8   uint64  mark: the length of the payload and one; 0 where no frame is yet
//	16  payload, then undefined bytes to the next multiple of 16
//
// The consumer looks at the mark of the frame that is to come. The producer's
// position is nobody's but its own: were it a shared word, a small frame would
// cost two journeys of a cache line between the processors where it costs one,
// and these journeys are most of the time that a small message takes. For the
// same reason the producer clears the lines ahead of it after it has written a
// mark: while its consumer reads, not before.
//
// # Left out
//
// Several producers or consumers of one ring. Trust in the bytes of a payload:
// a process that writes to a payload after it has sent it changes what the
// other reads.
package shm
