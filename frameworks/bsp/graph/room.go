package graph

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/capstan-run/capstan/core"
)

// Room is what a program holds besides its partition, at its most, in bytes.
// Programs state it; rows go to files sooner by as much (law G5).
type Room struct {
	Own    int64 // for each own vertex
	Others int64 // for each vertex of another rank, whether own edges reach it or not
	Named  int64 // for each own vertex, where ids are not their own places
	// Entry is for each entry of this rank's rows, at most. Rows leave room for
	// it; whoever comes to need it takes it by Partition.Claim.
	Entry int64
}

// Host is whose memory a partition lies in: a *peer.Peer or a
// *peer.SnapshotReader.
type Host interface {
	Memory() int64            // bytes that a program may hold
	Limit(memory int64) int64 // bytes that an executor has to be given for Memory to be so many
	Scratch() string          // where files go
}

// account is what a rank's memory is taken by, in bytes.
type account struct {
	host   Host // nil: nobody counts
	size   int  // ranks
	fixed  int64
	shared int64 // what would be less with more ranks
	rows   int64 // what could lie in files
}

// partitionBytes is what the largest rank's partition takes by vertex, rows
// aside (law G5), name being the bytes of an id's name in the mean.
func (p *Partition) partitionBytes(directions int, name int64) int64 {
	each := 4 + 4 + 8*int64(directions) + name
	if p.Directed {
		each += 4
	}
	return each * p.largest()
}

// largest is how many vertices a rank owns at most.
func (p *Partition) largest() int64 {
	most := uint32(0)
	for r := range p.Size {
		most = max(most, p.Bounds[r+1]-p.Bounds[r])
	}
	return int64(most)
}

// open begins the account of a numbered partition. It is refused, on all ranks
// alike, where what goes by vertex alone is more than the memory.
func (a *account) open(h Host, p *Partition, room Room, directions int, name int64) error {
	n := p.largest()
	*a = account{host: h, size: p.Size, fixed: room.Others * int64(p.Total()),
		shared: p.partitionBytes(directions, name) + (room.Own-room.Others)*n}
	if name > 0 {
		a.shared += room.Named * n
	}
	return a.check(p.Total())
}

func (a *account) check(vertices int) error {
	if a.host == nil || a.fixed+a.shared <= a.host.Memory() {
		return nil
	}
	return core.Errorf(core.Invalid, "a graph of %d vertices takes %s of a rank's memory besides its edges, and the program may hold %s",
		vertices, core.Bytes(roundUp(a.fixed+a.shared)), core.Bytes(a.host.Memory()).Short()).At("gang.memory").Do(a.remedy())
}

// remedy tells what would do.
func (a *account) remedy() string {
	more := "raise gang.memory to at least " + core.Bytes(roundUp(a.host.Limit(a.fixed+a.shared))).String()
	left := a.host.Memory() - a.fixed
	if left <= 0 || a.shared <= 0 {
		return more
	}
	ranks := (a.shared*int64(a.size) + left - 1) / left
	if ranks > mostRanks {
		return more
	}
	return fmt.Sprintf("%s, or gang.size to %d", more, ranks)
}

// mostRanks is how many ranks are advised at most: more memory is then the
// better advice.
const mostRanks = 1 << 10

// roundUp rounds up to an eighth of the power of two below, and a mebibyte at
// least.
func roundUp(n int64) int64 {
	step := max(int64(1)<<max(bits.Len64(uint64(n))-4, 0), 1<<20)
	return (n + step - 1) / step * step
}

// forRows is the bytes that rows may stay in memory with, entries being how many
// there are.
func (a *account) forRows(room Room, entries int64) int64 {
	return max(min(a.host.Memory()/2, a.left()-room.Entry*entries), 0)
}

func (a *account) left() int64 {
	if a.host == nil {
		return math.MaxInt64
	}
	return a.host.Memory() - a.fixed - a.shared - a.rows
}

// hold counts the rows that stay in memory.
func (a *account) hold(p *Partition) {
	for _, c := range p.csrs() {
		bytes := int64(4*len(c.Targets) + 8*len(c.Weights))
		switch {
		case c == p.CutOut || c == p.CutIn:
			a.shared += bytes
		case !p.Mapped():
			a.rows += bytes
		}
	}
}

// Left is the bytes of Peer.Memory that neither the partition nor what the
// program has stated, and claimed, takes. It is not the same on all ranks.
func (p *Partition) Left() int64 { return max(p.account.left(), 0) }

// Claim takes so many bytes of what is left, on this rank, before they are made.
// Where there are fewer, the error is an *core.Error of kind Invalid that says how
// much memory, or how many ranks, would do.
func (p *Partition) Claim(bytes int64) error {
	p.account.shared += bytes
	if p.account.left() >= 0 {
		return nil
	}
	return p.account.check(p.Total())
}
