// Package checkpoint keeps the state of a program's ranks where their next start
// finds it.
//
//	place, err := checkpoint.OfJob()
//	step, found, err := place.Read(ctx, world, func(r io.Reader) error { … })
//	for ; step < last; step++ {
//		…
//		err := place.Write(ctx, world, step, func(w io.Writer) error { … })
//	}
//
// # Model
//
// Every rank writes an object of its own; when all have, rank 0 writes the
// manifest, which names them with their lengths and checksums:
//
//	NUMBER/rank-0 … NUMBER/rank-N   then   latest
//
// # Laws
//
//	K1  What Read finds is a checkpoint that every rank had written whole. A rank
//	    that dies while it writes leaves the one before.
//	K2  All ranks read the same checkpoint, or none does; an object that is not
//	    what the manifest says is an error on all ranks.
//	K3  Once a checkpoint is there, the one before it is removed.
//
// # Left out
//
// Another number of ranks than that which wrote: what to do with their parts is
// the program's, and an error here. Large states are held in memory once while
// they are written.
package checkpoint
