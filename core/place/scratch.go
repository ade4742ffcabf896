package place

import "slices"

// scratch is buffers that a sight keeps.
type scratch struct {
	room        []int32
	hosts, full []int
	order, want []int
	ranked      []int32
	spare       []int32
	arena       []int32
	picks       []pick
}

// ints is n zeroes, good until the sight is done.
func (w *scratch) ints(n int) []int32 {
	if len(w.arena)+n > cap(w.arena) {
		w.arena = make([]int32, 0, 2*cap(w.arena)+n)
	}
	from := len(w.arena)
	w.arena = w.arena[:from+n]
	clear(w.arena[from:])
	return w.arena[from : from+n : from+n]
}

// pick is n ranks on the i-th node of some.
type pick struct{ i, n int }

// spend picks from rooms, of which the first is at position lo, for n ranks:
// the roomiest first, and for the last ranks the node they fit most tightly. Of
// equal ones those that hold the image win. The rooms must suffice. The picks
// are the scratch's, in no order.
func (w *scratch) spend(rooms []int32, n int, images bitset, lo int) []pick {
	hosts, full := w.tiers(rooms, n)
	rest := n
	for r := n; r > 0; r-- {
		full[r] = min(hosts[r], (rest-1)/r)
		rest -= full[r] * r
		if full[r] < hosts[r] {
			break // the rest fits on one that is left
		}
	}
	w.picks = w.picks[:0]
	last := -1
	if images != nil {
		last = w.take(rooms, n, rest, images, lo, true)
	}
	if i := w.take(rooms, n, rest, images, lo, false); last < 0 {
		last = i
	}
	w.picks = append(w.picks, pick{last, rest})
	return w.picks
}

// take picks the nodes that are to be full, of those that hold the image or of
// those that do not, and returns the tightest of the others for the rest, -1
// for none.
func (w *scratch) take(rooms []int32, n, rest int, images bitset, lo int, hold bool) int {
	last := -1
	for i, room := range rooms {
		r := int(room)
		if r == 0 || images != nil && images.has(lo+i) != hold {
			continue
		}
		if r < n && w.full[r] > 0 {
			w.full[r]--
			w.picks = append(w.picks, pick{i, r})
		} else if r >= rest && (last < 0 || room < rooms[last]) {
			last = i
		}
	}
	return last
}

// tiers counts rooms by size, up to n, and clears as many counters.
func (w *scratch) tiers(rooms []int32, n int) (hosts, full []int) {
	w.hosts, w.full = slices.Grow(w.hosts[:0], n+1)[:n+1], slices.Grow(w.full[:0], n+1)[:n+1]
	clear(w.hosts)
	clear(w.full)
	for _, r := range rooms {
		w.hosts[min(int(r), n)]++
	}
	return w.hosts, w.full
}

// digit is how many bits of a room one pass of the sort looks at. Two passes
// see all of unlimited.
const digit = 11

// roomiest is the indexes of rooms that are not empty, the roomiest first; of
// equal ones those that hold the image, then the lower. The first room is that
// of position lo. It sorts by digits, in time linear in the rooms. The slice is
// the scratch's.
func (w *scratch) roomiest(rooms []int32, images bitset, lo int) []int32 {
	w.ranked = w.ranked[:0]
	most := int32(0)
	for i, n := range rooms {
		if n > 0 && (images == nil || images.has(lo+i)) {
			w.ranked = append(w.ranked, int32(i))
		}
		most = max(most, n)
	}
	for i, n := range rooms {
		if images != nil && n > 0 && !images.has(lo+i) {
			w.ranked = append(w.ranked, int32(i))
		}
	}
	w.pass(rooms, 0)
	if most >= 1<<digit {
		w.pass(rooms, digit)
	}
	return w.ranked
}

// pass sorts ranked by one digit of the rooms, the largest first, and keeps
// the order of equals.
func (w *scratch) pass(rooms []int32, shift int) {
	const mask = 1<<digit - 1
	var start [1 << digit]int32
	for _, i := range w.ranked {
		start[mask-(rooms[i]>>shift&mask)]++
	}
	sum := int32(0)
	for d, n := range start {
		start[d] = sum
		sum += n
	}
	w.spare = slices.Grow(w.spare[:0], len(w.ranked))[:len(w.ranked)]
	for _, i := range w.ranked {
		d := mask - (rooms[i] >> shift & mask)
		w.spare[start[d]] = i
		start[d]++
	}
	w.ranked, w.spare = w.spare, w.ranked
}
