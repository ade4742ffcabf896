package work

import "github.com/capstan-run/capstan/core"

// defaultMemory stands in for an executor without a limit.
const defaultMemory = core.Bytes(1 << 30)

// share is how an executor's memory is divided (law W5).
type share struct {
	arena int   // shared memory of the mesh
	heap  int64 // for the Go runtime: where it begins to collect in earnest
	peer  int64 // for peer and program together
}

const (
	leastArena = 8 << 20
	mostArena  = 1 << 30
)

// divide gives the mesh an eighth: what a rank sends in a superstep is on its way
// while it computes, and what does not fit waits at the sender.
func divide(limit core.Bytes) share {
	if limit <= 0 {
		limit = defaultMemory
	}
	all := int64(limit)
	s := share{arena: int(min(max(all/8, leastArena), mostArena))}
	rest := all - int64(s.arena)
	s.heap = rest / 10 * 9
	s.peer = rest / 10 * 8
	return s
}

// limitFor is the least limit, or little more, that gives a peer so many bytes.
func limitFor(peer int64) int64 {
	rest := (peer+7)/8*10 + 10
	return rest + min(max(rest/7+1, leastArena), mostArena)
}
