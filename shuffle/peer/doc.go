// Package peer moves raw ranges of exchange objects between executors: the rung
// of the read ladder between this host's files and the store.
//
// # Model
//
//	Client ── name, offset, length ──→ Server ── sendfile ──→ the range's bytes
//
// A [Server] offers the objects of some directories, and of this process's
// memory, over any stream: a unix socket on the gang's shared mount, or TCP. A
// [Client] asks the executor that the control plane named for an object. A
// connection serves one request after the other and is kept for the next.
//
// # The wire, version 1
//
// All numbers little-endian. A request:
//
//	byte     version, 1
//	byte     length of the name, 1 to 255
//	bytes    name
//	uint64   offset
//	uint64   length
//
// An answer:
//
//	byte     0 for the range, 1 for no such object, 2 for any other refusal
//	uint64   length of what follows: the range, or a message of at most 1 KiB
//	bytes
//
// # Laws
//
//	R1  The server reads nothing but regular files of its directories, by plain
//	    name, and what its memory holds under that name.
//	R2  A range comes whole or not at all: what is cut off is an error, and the
//	    connection is not used again.
//	R3  Nothing is trusted: the client takes no more bytes than it asked for,
//	    the server no longer request than a name and two numbers. The bytes
//	    themselves are verified by who asked (package shuffle).
//	R4  A side that hears nothing for as long as Patience gives up.
//
// # Left out
//
// Who may ask. A unix socket is guarded by the mount it lies on; over TCP the
// listener and the dialer bring TLS, and with it identity: then the bytes are
// copied through the process, since the kernel cannot encrypt what it sends.
package peer
