// Package work is what a BSP executor does: it joins the mesh of each
// incarnation, runs the program there, keeps checkpoints, and writes its part
// of the result.
//
// # Model
//
//	Begin ─→ mesh.Join ─→ peer.Run(program) ─→ parts into the store ─→ Done
//	                        │        │
//	                        │        └ rows: package dataset/output
//	                        └ checkpoints: files in the gang's folder, or the store
//
// A [Worker] lives as long as its executor. Its program is made once and kept
// from one incarnation to the next, with what it holds in memory; only where
// all begin anew there is a new one.
//
// # Laws
//
//	W1  One incarnation runs at a time. The next begins when the one before has
//	    returned.
//	W2  A part of a checkpoint is one file, which has its name once it is whole,
//	    and carries a checksum for every frame: what is read is what was
//	    written, or an error that says damaged.
//	W3  What a file of a checkpoint refers to outlives it: a section that never
//	    changes has a file of its own, written once, which goes when no kept
//	    checkpoint needs it.
//	W4  Rows sealed by a checkpoint are in the store before the checkpoint is.
//	W5  What memory holds is divided once: the mesh's arena, the runtime's slack,
//	    and the rest, which peer and program share.
//
// # Left out
//
// Meshes across machines: a gang's executors share a folder on one host.
package work
