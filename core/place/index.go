package place

import (
	"math"
	"math/bits"
)

// index finds the node with the least room that suffices without looking at
// every node: sums over blocks of 64 nodes, and over 64 such blocks each.
type index struct {
	only   bitset // the nodes that count, by position; nil for all
	blocks []digest
	tops   []digest
	dirty  bitset // blocks to be summed again
}

// digest says which rooms occur among some nodes.
type digest struct {
	rooms uint64 // bit r for a node with room for r; bit 63 for 63 and more
	least int32  // of the rooms from 63 on
	most  int32
}

// many is the first room that has no bit of its own.
const many = 63

func (d *digest) add(room int32) {
	if room < many {
		d.rooms |= 1 << room
	} else {
		d.rooms |= 1 << many
		d.least = min(d.least, room)
	}
	d.most = max(d.most, room)
}

func (d *digest) join(o *digest) {
	d.rooms |= o.rooms
	d.least, d.most = min(d.least, o.least), max(d.most, o.most)
}

func newIndex(rooms []int32, only bitset) index {
	x := index{only: only, blocks: make([]digest, (len(rooms)+63)/64)}
	x.tops = make([]digest, (len(x.blocks)+63)/64)
	x.dirty = make(bitset, len(x.tops))
	for b := range x.blocks {
		x.block(b, rooms)
	}
	for t := range x.tops {
		x.top(t)
	}
	return x
}

// copy makes x what y is, in x's own memory.
func (x *index) copy(y *index) {
	x.only = y.only
	x.blocks, x.tops = append(x.blocks[:0], y.blocks...), append(x.tops[:0], y.tops...)
	x.dirty = append(x.dirty[:0], y.dirty...)
}

func (x *index) block(b int, rooms []int32) {
	d := digest{least: math.MaxInt32}
	rooms = rooms[b*64 : min(b*64+64, len(rooms))]
	if x.only == nil {
		for _, room := range rooms {
			d.add(room)
		}
	} else {
		for w := x.only[b]; w != 0; w &= w - 1 {
			d.add(rooms[bits.TrailingZeros64(w)])
		}
	}
	d.rooms &^= 1 // no room is no help
	x.blocks[b] = d
}

func (x *index) top(t int) {
	d := digest{least: math.MaxInt32}
	for b := t * 64; b < min(t*64+64, len(x.blocks)); b++ {
		d.join(&x.blocks[b])
	}
	x.tops[t] = d
}

// shift notes that nodes from position i on have other rooms, and that there
// are n by now.
func (x *index) shift(i, n int) {
	for len(x.blocks) < (n+63)/64 {
		x.blocks = append(x.blocks, digest{})
	}
	for len(x.tops) < (len(x.blocks)+63)/64 {
		x.tops = append(x.tops, digest{})
		x.dirty = append(x.dirty, 0)
	}
	for b := i / 64; b < len(x.blocks); b++ {
		x.touch(b * 64)
	}
}

// touch notes that the room of node i changed; tidy has to follow.
func (x *index) touch(i int) { x.dirty[i>>12] |= 1 << (i >> 6 & 63) }

// tidy sums the touched blocks again.
func (x *index) tidy(rooms []int32) {
	for t, w := range x.dirty {
		if w == 0 {
			continue
		}
		for ; w != 0; w &= w - 1 {
			x.block(t*64+bits.TrailingZeros64(w), rooms)
		}
		x.top(t)
		x.dirty[t] = 0
	}
}

// tightest is the first node with the least room that suffices for n ranks, -1
// for none. For many ranks it may look at every node.
func (x *index) tightest(rooms []int32, n int64) int {
	all := x.all()
	if int64(all.most) < n {
		return -1
	}
	if n > many {
		return x.scan(rooms, int32(n))
	}
	room := int32(bits.TrailingZeros64(all.rooms >> n << n))
	if room == many {
		room = all.least
	}
	return x.first(rooms, room)
}

func (x *index) all() digest {
	all := digest{least: math.MaxInt32}
	for t := range x.tops {
		all.join(&x.tops[t])
	}
	return all
}

// most is the largest room.
func (x *index) most() int {
	all := x.all()
	return int(all.most)
}

// first is the first node with just this room; there is one.
func (x *index) first(rooms []int32, room int32) int {
	t := 0
	for !x.tops[t].has(room) {
		t++
	}
	b := t * 64
	for !x.blocks[b].has(room) {
		b++
	}
	i := b * 64
	for rooms[i] != room || x.only != nil && !x.only.has(i) {
		i++
	}
	return i
}

// has reports whether room occurs, if it is less than many or the least of
// those from many on in the whole index.
func (d *digest) has(room int32) bool {
	if room >= many {
		return d.least == room
	}
	return d.rooms&(1<<room) != 0
}

// scan is tightest for more ranks than digests tell apart.
func (x *index) scan(rooms []int32, n int32) int {
	best := -1
	for b := range x.blocks {
		if x.blocks[b].most < n {
			continue
		}
		for i := b * 64; i < min(b*64+64, len(rooms)); i++ {
			if rooms[i] >= n && (best < 0 || rooms[i] < rooms[best]) && (x.only == nil || x.only.has(i)) {
				best = i
			}
		}
	}
	return best
}
