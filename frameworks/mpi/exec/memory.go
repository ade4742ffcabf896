package exec

import "golang.org/x/sys/unix"

// halfOfMemory is half of the machine's.
func halfOfMemory() uint64 {
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err != nil {
		return 1 << 30
	}
	return uint64(s.Totalram) * uint64(s.Unit) / 2
}
