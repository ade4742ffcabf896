package exec

import (
	"encoding/binary"
	"fmt"
)

const (
	requestSize = 88
	answerSize  = 64
	greeting    = "CAPMPI01"

	maxInline   = 1 << 30
	smallAnswer = 64 << 10 // bytes; more come in a segment where the process takes them
	none        = 0xffffffff
)

// Command is what a request asks for.
type command uint32

const (
	cmdHello command = iota + 1
	cmdSegment
	cmdRelease
	cmdWait
	cmdAbort
	cmdFinalize
)

const (
	cmdSend command = iota + 16
	cmdSsend
	cmdRecv
	cmdProbe
	cmdIprobe
)

const (
	cmdBarrier command = iota + 32
	cmdBcast
	cmdGather
	cmdGatherv
	cmdScatter
	cmdScatterv
	cmdAllgather
	cmdAllgatherv
	cmdAlltoall
	cmdAlltoallv
	cmdReduce
	cmdAllreduce
	cmdReduceScatter
	cmdScan
	cmdExscan
)

const (
	cmdSplit command = iota + 48
	cmdDup
	cmdSplitHost
	cmdFree
)

const (
	flagWaits    = 1
	flagSegments = 2
)

// request is the fixed part of one; see the package's comment.
type request struct {
	command  command
	number   uint32
	comm     uint32
	flags    uint32
	peer     int32
	tag      int32
	kind     kind
	op       op
	inline   uint32
	counts   uint32
	out      place
	in       place
	reserved uint32
	value    int64

	count []uint64 // after counts
	data  []byte   // inline, after the counts
}

// place is bytes in a segment; segment 0 is none.
type place struct {
	segment        uint32
	offset, length uint64
}

func (r *request) decode(b []byte) {
	u32, u64 := binary.LittleEndian.Uint32, binary.LittleEndian.Uint64
	*r = request{
		command: command(u32(b)), number: u32(b[4:]), comm: u32(b[8:]), flags: u32(b[12:]),
		peer: int32(u32(b[16:])), tag: int32(u32(b[20:])),
		kind: kind(binary.LittleEndian.Uint16(b[24:])), op: op(binary.LittleEndian.Uint16(b[26:])),
		inline: u32(b[28:]), counts: u32(b[32:]),
		out:      place{u32(b[36:]), u64(b[40:]), u64(b[48:])},
		in:       place{u32(b[56:]), u64(b[64:]), u64(b[72:])},
		reserved: u32(b[60:]),
		value:    int64(u64(b[80:])),
	}
}

// check tells a request that is only wrong from bytes that are none: after the
// latter nothing in the stream can be believed (law X2).
func (r *request) check() error {
	switch {
	case r.command.name() == "":
		return fmt.Errorf("command %d is not known (byte 0)", r.command)
	case r.flags&^(flagWaits|flagSegments) != 0:
		return fmt.Errorf("flags %#x are not known (byte 12)", r.flags)
	case r.inline > maxInline:
		return fmt.Errorf("%d inline bytes; at most %d (byte 28)", r.inline, maxInline)
	case uint64(r.counts)*8 > uint64(r.inline):
		return fmt.Errorf("%d counts in %d inline bytes (byte 32)", r.counts, r.inline)
	case r.reserved != 0:
		return fmt.Errorf("%#x where zero belongs (byte 60)", r.reserved)
	}
	return nil
}

// body splits the inline bytes.
func (r *request) body(b []byte) {
	r.count = make([]uint64, r.counts)
	for i := range r.count {
		r.count[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	r.data = b[8*len(r.count):]
}

// answer is one; see the package's comment.
type answer struct {
	status  status
	peer    int32
	tag     int32
	kind    kind
	segment uint32
	comm    uint32
	offset  uint64
	length  uint64
	value   int64
	data    []byte // inline
	fd      int    // goes with it; 0: none
}

// encode is the answer to r without the data.
func (a *answer) encode(r *request) []byte {
	b := make([]byte, answerSize)
	put32, put64 := binary.LittleEndian.PutUint32, binary.LittleEndian.PutUint64
	put32(b, uint32(r.command))
	put32(b[4:], r.number)
	put32(b[8:], uint32(a.status))
	put32(b[12:], uint32(len(a.data)))
	put32(b[16:], uint32(a.peer))
	put32(b[20:], uint32(a.tag))
	binary.LittleEndian.PutUint16(b[24:], uint16(a.kind))
	put32(b[32:], a.segment)
	put32(b[36:], a.comm)
	put64(b[40:], a.offset)
	put64(b[48:], a.length)
	put64(b[56:], uint64(a.value))
	return b
}

// name is the command as the package's comment has it; "" if there is none.
func (c command) name() string {
	switch {
	case c >= cmdHello && c <= cmdFinalize:
		return [...]string{"hello", "segment", "release", "wait", "abort", "finalize"}[c-cmdHello]
	case c >= cmdSend && c <= cmdIprobe:
		return [...]string{"send", "ssend", "recv", "probe", "iprobe"}[c-cmdSend]
	case c >= cmdBarrier && c <= cmdExscan:
		return [...]string{"barrier", "bcast", "gather", "gatherv", "scatter", "scatterv",
			"allgather", "allgatherv", "alltoall", "alltoallv", "reduce", "allreduce", "reducescatter", "scan", "exscan"}[c-cmdBarrier]
	case c >= cmdSplit && c <= cmdFree:
		return [...]string{"split", "dup", "splithost", "free"}[c-cmdSplit]
	}
	return ""
}

// collective tells commands that all ranks of a communicator give in one order.
func (c command) collective() bool {
	return c >= cmdBarrier && c <= cmdExscan || c >= cmdSplit && c <= cmdFree
}
