// Package snapshot is what of a topology is kept: the manifests of its epochs,
// and the objects that they name.
//
// # Model
//
//	epochs/000000000007   the manifest: for each task its position, its state's
//	                      object, and the part of output that it sealed
//	state/7-counts-1-<owner>   state of one task
//
// # Laws
//
//	K1  An epoch is committed by one conditional PUT of its manifest. Two owners
//	    never write the same one: each puts its own name into it.
//	K2  A manifest is never removed while the topology may run: an owner that
//	    froze before it would find its place free. State that no manifest of the
//	    last few names may go.
//	K3  What is read is checked: objects of state end with a checksum.
//
// # Left out
//
// Increments: a snapshot has all of a task's state.
package snapshot
