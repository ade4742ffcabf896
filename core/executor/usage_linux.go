package executor

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the CPU time of this process and its ended children.
func cpuTime() time.Duration {
	var sum time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if unix.Getrusage(who, &u) == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return sum
}

// residentBytes is what counts against the memory limit: of the container
// where there is one, else of this process; 0 if unknown.
func residentBytes() int64 {
	if os.Getpid() == 1 {
		if b, err := os.ReadFile("/sys/fs/cgroup/memory.current"); err == nil {
			n, _ := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
			return n
		}
	}
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}
