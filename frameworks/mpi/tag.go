package mpi

import "github.com/capstan-run/capstan/shuffle/mesh"

// Wildcards, and the rank that nobody is.
const (
	AnySource = -1 // to receive from any rank
	AnyTag    = -1 // to receive under any tag
	Null      = -2 // sending to it and receiving from it do nothing
)

// MaxTag is the largest tag of a message.
const MaxTag = 1<<tagBits - 1

// A mesh's tag is laid out so that messages of different communicators, or of
// different use, never match:
//
//	31        22 21  20 19                 0
//	 context      lane   tag
const (
	tagBits     = 20
	laneBits    = 2
	contextBits = 32 - laneBits - tagBits
	contexts    = 1 << contextBits
)

// lane is what a communicator's messages are for.
type lane uint32

const (
	lanePoint      lane = iota // Send and Recv
	laneCollective             // the steps of collectives
	laneRecords                // Arrow record batches
	laneControl                // acknowledgements, windows
)

func meshTag(context uint32, l lane, tag int) mesh.Tag {
	return mesh.Tag(context<<(laneBits+tagBits) | uint32(l)<<tagBits | uint32(tag))
}

// splitTag is meshTag's inverse.
func splitTag(t mesh.Tag) (context uint32, l lane, tag int) {
	return uint32(t) >> (laneBits + tagBits), lane(uint32(t)>>tagBits) & (1<<laneBits - 1), int(uint32(t) & MaxTag)
}

// The tag of a collective's step says which collective it belongs to, and by a
// number that all ranks count, which of its calls: ranks that disagree about
// what comes next wait, and do not take one thing for another.
const (
	sequenceBits = 15
	sequences    = 1 << sequenceBits
)

type collective int

const (
	opBarrier collective = iota
	opBcast
	opScatter
	opGather
	opAllgather
	opReduce
	opAllreduce
	opReduceScatter
	opScan
	opExscan
	opAlltoall
	opNeighbour
	opContext // agreement on a context
	opSplit
	opWindow
	opCheckpoint
	opGroup
	opUser
)

func (o collective) String() string {
	return [...]string{"Barrier", "Bcast", "Scatter", "Gather", "Allgather", "Reduce", "Allreduce", "ReduceScatter",
		"Scan", "Exscan", "Alltoall", "Neighbour exchange", "agreement on a communicator", "Split", "Window", "Checkpoint", "CommCreateGroup", "collective"}[min(o, opUser)]
}
