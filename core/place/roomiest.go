package place

import "slices"

// digit is how many bits of a room one pass of the sort looks at. Two passes
// see all of unlimited.
const digit = 11

// roomiest is the indexes of rooms that are not empty, the roomiest first; of
// equal ones those that hold the image (held, nil for none), then the lower.
// It sorts by digits, in time linear in the rooms. The slice is the scratch's.
func (w *scratch) roomiest(rooms []int32, held func(i int) bool) []int32 {
	w.ranked = w.ranked[:0]
	most := int32(0)
	for i, n := range rooms {
		if n > 0 && (held == nil || held(i)) {
			w.ranked = append(w.ranked, int32(i))
		}
		most = max(most, n)
	}
	for i, n := range rooms {
		if held != nil && n > 0 && !held(i) {
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
