package work

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// bound calls start on a thread that may use a part of this process's cores only,
// if bind is set: a process that it starts inherits that.
func bound(bind bool, local, locals int, start func() error) error {
	var all unix.CPUSet
	if !bind || unix.SchedGetaffinity(0, &all) != nil {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mine := share(&all, local, locals)
	if unix.SchedSetaffinity(0, &mine) == nil {
		defer func() { _ = unix.SchedSetaffinity(0, &all) }()
	}
	return start()
}

// share is the part of cores that the local-th of so many has: as many as each
// can have alone, or one that it has with others.
func share(all *unix.CPUSet, local, locals int) (mine unix.CPUSet) {
	var cores []int
	for c := 0; len(cores) < all.Count(); c++ {
		if all.IsSet(c) {
			cores = append(cores, c)
		}
	}
	each := max(1, len(cores)/max(1, locals))
	for n := range each {
		mine.Set(cores[(local*each+n)%len(cores)])
	}
	return mine
}
