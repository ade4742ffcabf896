// Package peertest runs programs on several peers in one process: for tests of
// programs, and of what is made of them.
//
// # Model
//
//	Gang.Run ─ incarnation 1 ─┬ rank 0 ┐                  ┌ rank 0 ┐
//	                          ├ rank 1 ┼ a Kill ─→ resume ┼ rank 1 ┼─→ Result
//	                          └ rank 2 ┘                  └ rank 2 ┘
//
// A kill aborts a rank's mesh, as the death of its process would. All ranks then
// run again on a new mesh from the last checkpoint that all had written, or from
// the beginning: the killed one with a new program value, the others with theirs.
//
// # Laws
//
//	T1  A killed gang's rows and counters are those of an undisturbed one, or
//	    the program or the peer is wrong.
//	T2  Nothing is left behind: no goroutine, no file.
package peertest
