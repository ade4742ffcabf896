// Package state is what keyed operators remember, by groups of keys, so that it
// can be cut anew among another number of tasks.
//
// # Model
//
// Every key falls into one of a fixed number of groups by its hash, the one that
// fields groupings deal out by. A task has a range of groups ([Range]); it
// restores from the snapshots of all tasks of its component what falls into it.
//
//	0   8 bytes  "CAPSTAT1"
//	8   uvarint  groups; then for each that is not empty, in order:
//	             uvarint group, uvarint entries, and each entry as
//	             uvarint length of the key, key, varint count
//	end uint32   CRC32C of all before it, little-endian
//
// # Laws
//
//	R1  The same counts give the same bytes.
//	R2  What is restored is the whole of a range or an error: bytes that are cut
//	    off or changed are refused, and nothing is allocated for what they claim.
//
// # Left out
//
// State larger than memory, increments, and time to live.
package state
