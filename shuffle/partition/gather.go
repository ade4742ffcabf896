package partition

import "unsafe"

const (
	// gatherStep is how many bytes a gathering moves at a time. A call of copy
	// for each string takes longer than its bytes.
	gatherStep = 32
	// gatherAhead is how many elements before its turn a string is asked for:
	// those of one partition lie wide apart.
	gatherAhead = 8
	// manyParts is how many partitions have more places than the cache keeps from
	// one time that rows are moved to the next: these are asked for, too.
	manyParts = 512
)

// gathering moves strings in the order of their partitions, in assembly. It
// writes up to gatherStep-1 bytes behind those of a partition, where the next
// strings or the slack lie, and reads as many behind each string.
type gathering struct {
	image *byte
	next  *cursor // of part
	ends  *int32
	order *int32
	offs  *int32
	data  *byte
	parts int
	part  int // the next partition,
	from  int // and its first place in order
	to    int // scratch
	// The last offset of data and of image that is followed by a whole step.
	dataLimit, imageLimit int
}

// moveStrings is moveBinary, by a gathering where the machine has one.
func moveStrings(image []byte, next []cursor, offs []int32, data []byte, some *rows) {
	if !canGather || len(data) < gatherStep || len(image) < gatherStep {
		moveBinary(image, next, offs, data, some)
		return
	}
	g := gathering{
		image: unsafe.SliceData(image), next: unsafe.SliceData(next),
		ends: unsafe.SliceData(some.ends), order: unsafe.SliceData(some.order),
		offs: unsafe.SliceData(offs), data: unsafe.SliceData(data), parts: len(next),
		dataLimit: len(data) - gatherStep, imageLimit: len(image) - gatherStep,
	}
	for {
		run(&g)
		if g.part == len(next) {
			return
		}
		c, to := &next[g.part], int(some.ends[g.part])
		moveSome(image, c, offs, data, some.order[g.from:to])
		g.part, g.from = g.part+1, to
		if g.part < len(next) {
			g.next = &next[g.part]
		}
	}
}
