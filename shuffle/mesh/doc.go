// Package mesh is the live links between the ranks of a gang: messages in
// order, of any size, with flow control, over whatever lies between two ranks.
//
// # Model
//
// A [Mesh] is one rank's end of the links to all ranks, itself included. A
// message has a sender, a [Tag] and bytes; a receiver asks for a sender, or
// [Any], and a tag.
//
//	rank 0                                              rank 1
//	Send ─┬─ process ── inbox ──────────────────────────→ Recv
//	      ├─ shared memory ── ring, arena ──┐
//	      └─ network ──────── connections ──┴─ inbox ───→ Recv
//
// How two ranks are linked follows from their [Place]: in one process, by
// memory; on one host with a directory in common, by shared memory; else by an
// address. Small messages are sent at once, within a window of bytes that the
// receiver grants each peer (eager). Large ones wait at their sender until the
// receiver asks for them (rendezvous), so that nobody holds bytes nobody wants;
// within a host they lie in the sender's shared memory meanwhile and the
// receiver reads them there (by reference).
//
//	                process                shared memory              network
//	eager           up to 64 KiB           up to 16 KiB, ring         up to 64 KiB
//	by reference    Hand                   up to half of Arena        never
//	rendezvous      above                  above, over unix sockets   above, over Streams connections
//
// Signals are small messages on a lane of their own. [Records] sends Arrow
// record batches. A [Line] is one tag of one peer.
//
// # Laws
//
//	M1  Messages of one sender under one tag are received in the order they
//	    were sent, each once, whole. Between tags, and between signals and
//	    messages, there is no order.
//	    Receivers that ask for a set of tags ([Mesh.RecvMatch]) get what one sender
//	    sent under them in the order in which it was sent.
//	M2  A rank holds at most Window bytes, and within a host a ring of at most
//	    256 KiB besides, of what a peer sent and nobody received. Each message
//	    counts 64 bytes more than it has. A rank gives at most Arena bytes of
//	    shared memory. Nothing else grows with what peers send.
//	M3  The control lane waits for nothing but the peer's control lane: whoever
//	    reads it does not wait, and whoever writes to it does not either.
//	    Credits, requests for large messages, and signals pass when no message
//	    can.
//	M4  A message that was received belongs to the receiver until Release, also
//	    after either mesh is closed. Memory on its way is freed by its sender
//	    when it was released, or when the receiver is lost.
//	M5  A rank that is gone is an error of exactly the calls that need it:
//	    sending to it, receiving from it what it has not sent, receiving from
//	    Any unless [Mesh.Forgive] says otherwise. The error is a [*PeerError]
//	    with the rank. What it had sent whole is received first.
//	M6  Close delivers what Send accepted, unless the receiver closes or is
//	    lost, and ends every call, goroutine and connection of the mesh.
//	M7  Nothing a peer writes is trusted to be well formed. Lengths are checked
//	    before they are used; a frame that makes no sense ends the link as a
//	    loss does. What is allocated for a message is bounded by MaxMessage and
//	    by what the receiver has asked for.
//	M8  A call whose context ends has had no effect: its message is not
//	    received, or is received by the next call.
//
// As with MPI, a program whose ranks all send before any receives may block
// for ever once the windows are full: M2 leaves no other choice.
//
// # What is asked for
//
// A message goes to the oldest receiver that it suits, whether that sleeps, or
// has only asked ([Mesh.Post]). Nothing works in the background: rings are emptied
// and large messages are asked for by whoever calls. So that no rank waits for one
// that waits for it, a call that sleeps serves what was posted beside it.
//
// # Links
//
// A link between processes has lanes. Every lane is one connection, unix or
// TCP, made by the higher rank; the data lane within a host is a pair of rings.
//
//	control  small frames; read by a goroutine that never waits
//	data     messages and offers, in order
//	bulk     the bytes of large messages, in pieces of at most 4 MiB
//
// With TLS a record has 16 KiB, and crypto/tls writes and reads each by itself.
// Below it, the records of a piece are gathered, and read ahead, 256 KiB at a time,
// which saves more in the kernel than the copies cost. AES-GCM is a third of what is
// left.
//
// Join makes every link, or with Config.Lazy none: then a link is made when one
// of its ends first sends, or waits for the other. Gangs of hundreds of ranks of
// which each talks to few start so in the time that their processes take. The
// price is in M5: that a rank was lost which never had a link is learned by
// asking for one, not by waiting for Any.
//
// A peer's death ends its connections, which the kernel tells at once; a host
// that vanishes is noticed by keep-alive and unacknowledged data, after some 15
// seconds. A frozen peer is left to the gang's heartbeat.
//
// Shared memory is anonymous (memfd), sealed, and passed over the unix sockets
// in Config.Dir: all that executors on one host need is a directory in common.
// No file is left behind, no disk writes ring pages back, and no truncation can
// kill a reader. A receiver that finds its ring empty looks for a while and then
// sleeps; it leaves a word in the ring, and the sender that finds it rings by a
// frame on the control lane. A futex on the word would wake a thread about
// twice as fast, but holds a thread and its processor share for each sleeper,
// and says nothing of a peer that died; Go's poller does both. Where ranks
// exchange quickly nobody sleeps.
//
// # Frames
//
// All numbers little-endian. A frame begins with
//
//	0  uint8   kind
//	1  3 bytes zero
//	4  uint32  tag
//	8  uint64  length of the payload
//	16 payload
//
// In a ring the first 8 bytes are the frame's label; see package shm. Kinds:
//
//	lane     kind           tag       payload
//	control  1  signal      the tag   its bytes, at most 4096
//	         2  credit      0 data, 1 signals   uint64 bytes that may be sent again
//	         3  accept      0         uint64 number of the offer
//	         4  withdraw    0         uint64 number of the offer
//	         5  finish      0         uint64 messages and offers sent on the data lane
//	         6  finished    0         none
//	         7  doorbell    0         none
//	data     16 data        the tag   the message: at most 64 KiB, in a ring 16 KiB
//	         17 offer       the tag   uint64 its number, uint64 length of the message
//	         18 reference   the tag   uint32 slot, uint32 zero, uint64 offset in the
//	                                  sender's arena, uint64 length; in a ring only
//	bulk     32 body        0         uint64 number of the offer, uint64 offset in the
//	                                  message, then that part of it
//
// Offers are numbered by their sender, for each link from 1 on. A body for a
// number that is not known (its offer was withdrawn) is read and dropped. A
// slot is one of 1024 words in the memory that two ranks share; the receiver
// sets it to 1 to give the payload back, and rings if the sender has set the
// word before them to 1.
//
// Every connection begins with a hello from the dialer and one in answer:
//
//	0   8 bytes  "CAPMESH2"
//	8   uint32   rank that speaks
//	12  uint32   rank spoken to
//	16  uint32   size of the mesh
//	20  uint32   lane: 0 control, 1 data, from 2 on bulk; 18 a call, by which a
//	             lower rank asks the higher to make their link, and which ends
//	             with the answer
//	24  uint32   number of bulk lanes
//	28  uint32   the speaker's Window
//	32  uint32   bytes of a ring's data; 0 over a network
//	36  uint32   1: refused, and the ID is the reason
//	40  uint64   bytes of the speaker's arena; 0 over a network
//	48  uint32   length of the ID, at most 256
//	52  uint32   zero
//	56  the mesh's ID
//
// On the control lane within a host the dialer's hello carries two descriptors,
// the memory of the pair and its arena; the answer carries one, its arena. The
// memory of the pair is the ring of the lower rank, the ring of the higher, the
// words by which the lower's payloads come back, and those of the higher's.
//
// A record batch is a message that begins with numbers, 8 bytes each, for each
// dictionary of its schema and then for the batch: rows; for each array its
// length and nulls; for each buffer its offset in the message and its length.
// Zeros up to a multiple of 64 follow, then the messages of package block in
// the same order.
//
// # Left out
//
// Collectives: they are the frameworks'. Ranks that join later or come back:
// a new attempt has a new mesh. Compression and checksums: the kernel and TLS
// have theirs, and memory needs none. Trust between the ranks of a gang beyond
// M7: a rank may change a payload that it shares while another reads it.
// Shared memory on systems other than Linux. Receiving into memory of the
// caller's own.
package mesh
