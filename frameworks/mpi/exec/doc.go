// Package exec is an MPI rank that is a process, in any language.
//
// # Model
//
// A process that is not Go stands behind a rank that is: the Go rank, its proxy,
// starts it, carries out what it asks for, and answers. So it is a rank as any
// other: what sends to it need not know.
//
//	rank 0   Go program ─────────────────────── mesh ─┐
//	rank 1   Python program ─ socket ─ proxy ─ mesh ──┤
//	rank 2   C program ────── socket ─ proxy ─ mesh ──┘
//	                └─ segments ─┘
//
// [Run] starts a program as a rank, [Serve] is the proxy's end of one conversation.
// The proxy finds its world as every Go rank does, so one spelling serves under
// every launcher, and in documents, whose executors need no capstan of their own:
//
//	capstan mpiexec -n 1 ./gather : -n 3 capstan mpi-rank python3 heat.py
//	mpiexec.hydra -n 4 capstan mpi-rank ./heat
//	command: [capstan, mpi-rank, python3, heat.py]
//
// Clients for Python and C are in the folders python and c. A Python program that
// mpi-rank has started imports capstan_mpi without having it; a C program is built
// with the two files that `capstan mpi-rank --client c` writes.
//
// # Protocol
//
// The process inherits a unix stream socket, connected, whose number is in
// CAPSTAN_MPI_FD. It writes requests and reads answers. All numbers are
// little-endian. A request is
//
//	0   uint32  command
//	4   uint32  number, of the process's choice: the answer has it too
//	8   uint32  communicator: 0 world, 1 self, others as split and dup gave them
//	12  uint32  flags: 1 the process waits for this answer; 2 it takes segments
//	16  int32   peer: destination, source or root; -1 any source
//	20  int32   tag, from 0 on; -1 any. Of split: the color, -1 for none
//	24  uint16  kind of the elements
//	26  uint16  operator
//	28  uint32  inline: bytes that follow the request, at most 1 GiB
//	32  uint32  counts: how many uint64 the inline bytes begin with
//	36  uint32  segment with the bytes to send; 0: they are inline, after the counts
//	40  uint64  their offset in the segment
//	48  uint64  their length; 0 if they are inline
//	56  uint32  segment for the bytes to come; 0: with the answer
//	60  uint32  zero
//	64  uint64  its offset
//	72  uint64  how many bytes there is room for; 2^64-1: any, with segment 0
//	80  int64   value
//	88  the inline bytes
//
// and an answer
//
//	0   uint32  command
//	4   uint32  number
//	8   uint32  status: 0, or what went wrong, and the inline bytes say it in UTF-8
//	12  uint32  inline: bytes that follow the answer
//	16  int32   peer
//	20  int32   tag
//	24  uint16  kind
//	26  uint16  zero
//	28  uint32  zero
//	32  uint32  segment with the bytes; 0: they are inline
//	36  uint32  communicator
//	40  uint64  offset of the bytes in the segment
//	48  uint64  length of the bytes
//	56  int64   value
//	64  the inline bytes
//
// What a command does not name is 0 and ignored. Every request has one answer, but
// for wait and abort, which have none. Answers come as they are ready, in any order:
// so every command is non-blocking, and to block is to read answers until the one
// with the number is there. Requests are begun in the order they were written:
// sends and receives match, and collectives meet, in that order.
//
//	 #  command        the request has                the answer has
//	 1  hello          inline: "CAPMPI01"             peer: rank. value: size. tag: number of
//	                                                  the program. inline: name of the host
//	 2  segment        value: bytes, at least 1       segment, length, a descriptor
//	 3  release        segment to send                none
//	 4  wait           inline: uint32 each: numbers;
//	                   value: 1 all are needed
//	 5  abort          value: exit code. inline: why
//	 6  finalize       nothing                        nothing, when all ranks have said it
//	16  send           peer, tag, kind, bytes         when the bytes may be changed
//	17  ssend          the same                       when they are being received
//	18  recv           peer, tag, kind or 65535, room peer, tag, kind, bytes
//	19  probe          peer, tag                      peer, tag, kind, length, when a message is there
//	20  iprobe         peer, tag                      the same at once; value: 1 there is, 0 not
//	32  barrier        nothing                        nothing
//	33  bcast          peer: root, kind; at root its  elsewhere: the bytes
//	                   bytes, elsewhere room
//	34  gather         peer: root, kind, bytes        at root: the bytes of all ranks
//	35  gatherv        the same; at root counts       the same
//	36  scatter        peer: root, kind, room; at     the bytes for this rank
//	                   root bytes
//	37  scatterv       the same; at root counts       the same
//	38  allgather      kind, bytes                    the bytes of all ranks
//	39  allgatherv     kind, bytes, counts            the same
//	40  alltoall       kind, bytes                    the bytes for this rank
//	41  alltoallv      kind, bytes; counts to each    the same
//	                   rank, then from each
//	42  reduce         peer: root, kind, op, bytes    at root: bytes
//	43  allreduce      kind, op, bytes                bytes
//	44  reducescatter  kind, op, bytes, counts        the bytes for this rank
//	45  scan           kind, op, bytes                bytes
//	46  exscan         kind, op, bytes                bytes, none at rank 0
//	48  split          tag: color. value: key         communicator, peer: rank, value: size;
//	                                                  communicator 4294967295 for color -1
//	49  dup            nothing                        as split
//	50  splithost      nothing                        as split: the ranks of one host
//	51  free           nothing                        nothing
//
// Counts are bytes to, or from, each rank of the communicator, in its order; the
// bytes of all ranks lie one after the other. Without counts, ranks have as many
// bytes each.
//
//	kinds      1 int8  2 int16  3 int32  4 int64  5 uint8, bytes  6 uint16  7 uint32
//	           8 uint64  9 float32  10 float64  11 complex64  12 complex128
//	           64 record batches, in send and recv: see below
//	           65535 in recv: any but these
//	operators  1 sum  2 product  3 min  4 max  5 bitwise and  6 bitwise or  7 bitwise xor
//	           8 logical and  9 logical or  10 logical xor
//	status     1 the request is wrong  2 more bytes came than there is room for
//	           3 another kind came than was asked for  4 a rank is lost: peer says which
//	           5 the world has ended  6 not to be had  7 anything else
//
// A record batch is sent as a stream in Arrow's streaming format with one batch in
// it. Whoever receives one knows its schema: recv has it inline, as such a stream
// without a batch, and a tag. Record batches match no other messages.
//
// # Segments
//
// A segment is anonymous memory that process and proxy both map: bytes in it cross
// without the socket. The answer to segment carries its descriptor, as SCM_RIGHTS
// with the answer's first byte; the process maps it shared, of length bytes, and
// closes the descriptor. If a request has flag 2, and bytes are to come that are
// more than 64 KiB and for which the request names no segment, the proxy makes a
// segment of their length: the answer has it and its descriptor, and it is the
// process's. The process gives it back by release.
//
// While a request is not answered the process leaves alone the bytes that it names:
// those to send unchanged, those to come unread. A process that cannot take
// descriptors uses no segments: all bytes go inline.
//
// # Laws
//
//	X1  A process whose socket ends before finalize was answered is lost, and so
//	    is its rank: the world is aborted, and stderr says the process's command
//	    and its exit code or signal. The process has the proxy's own streams.
//	X2  What a process writes is not trusted: lengths, offsets and numbers are
//	    checked before they are used. A request that makes no sense at all ends
//	    the rank, with an error that says which request and which field; one
//	    that is only wrong is answered so.
//	X3  Segments are sealed against shrinking: what a process does to one harms
//	    the values in it, nothing else.
//	X4  Inline bytes are read in pieces: memory is taken for what has come, not
//	    for what was announced.
//	X5  When the proxy ends, or is killed, the process has ended. It is in the
//	    proxy's group: what it has started ends where the launcher ends groups.
//	X6  What the process waits for is known: flag 1, and wait, which says that it
//	    does nothing until one of the answers with these numbers is there, or all
//	    are. They change nothing but what a user is shown of a rank that hangs.
//
// # Left out
//
// Cancelling a request. Windows and topologies: a Go rank's. Strided data: the
// process packs it. Record batches in collectives. Arrow streams that lie about
// their lengths: Arrow's reader believes them, and the proxy may run out of memory,
// which ends this rank. Authentication: the socket is inherited, no name leads to
// it.
package exec
