// Package console is the way between a launcher that somebody typed (mpiexec) and
// the coordinator of its job: what ranks print comes to it byte for byte, and what
// it reads goes to rank 0.
//
// # Model
//
// The launcher listens on a unix socket in a folder of its own and writes where
// it is, and a secret, into the document. The coordinator dials it.
//
//	launcher                                  coordinator
//	Desk ── the secret ─────────────────────→ Line
//	     ←── output{run, rank, at, bytes} ───
//	     ←── want{run, at} ──────────────────   the worker has room for input
//	     ─── input{run, at, bytes} ─────────→
//	     ←── bye ────────────────────────────   there is no more
//
// # Laws
//
//	D1  Each byte has a place in its stream. What comes twice, from a coordinator
//	    that took over, is written once.
//	D2  A coordinator says nothing to a socket that has not said the secret: the
//	    document names it, and might name anybody's.
//	D3  A launcher that is gone ends nothing: what ranks print is in the job's log,
//	    and is read off them all the same.
//
// # Frames
//
// All numbers big-endian: kind 1 byte, run 4, rank 4, place 8, length 4, bytes.
//
//	1 stdout   2 stderr   3 bye   4 want   5 input (of no bytes: there is no more)
package console
