package work

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// newEntries makes the memory of a table. A large one asks for huge pages:
// looking up words at random in tens of megabytes would else miss the TLB about
// as often as the cache, and touching it first would fault thousands of times.
func newEntries(n int) []entry {
	entries := make([]entry, n)
	if size := n * entryBytes; size >= 4<<20 {
		b := unsafe.Slice((*byte)(unsafe.Pointer(&entries[0])), size)
		_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // where refused, small pages do
	}
	return entries
}
