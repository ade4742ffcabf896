package benchmarks

import (
	"syscall"

	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/core"
)

// room refuses a sort for which the cache has no room. copies is how many times
// its records lie there at most; a tenth more is asked for.
func (b *bench) room(size, copies int64) error {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(b.Cache, &disk); err != nil {
		return core.Errorf(core.Denied, "%v", err).At(b.Cache).Do("name another with --cache")
	}
	need, free := size/10*11*copies, int64(disk.Bavail)*disk.Bsize
	if free >= need {
		return nil
	}
	return core.Errorf(core.Invalid, "a sort of %s takes %s of disk, and %s are free", result.Size(size), result.Size(need), result.Size(free)).
		At(b.Cache).Do("free some, name a directory on another disk with --cache, or a smaller size with --sizes")
}
