package graph

import (
	"math/bits"
	"slices"
)

// sorter puts the edges of some rows in order. It keeps its memory from one
// call to the next.
//
// It sorts by target in passes over a few digits, least first, which keep what
// they find in order, and then deals the edges out to their rows: no step
// compares two edges, so that none depends on a guess.
type sorter struct {
	digit  uint // bits of a digit
	passes int
	counts []uint32 // by digit

	next     []uint32 // by row: where its next edge goes
	from, to []uint32
	wide     [2][]uint64
	floats   []float64
}

// mostDigit is the most bits of a digit: so many counts fit a core's nearest
// cache.
const mostDigit = 11

// newSorter makes a sorter for targets below limit.
func newSorter(limit int) *sorter {
	n := bitsBelow(limit)
	passes := (n + mostDigit - 1) / mostDigit
	digit := (n + passes - 1) / passes
	return &sorter{digit: uint(digit), passes: passes, counts: make([]uint32, 1<<digit)}
}

// bitsBelow is how many bits numbers below limit have, at least one.
func bitsBelow(limit int) int { return max(bits.Len32(uint32(max(limit, 1)-1)), 1) }

// packed puts edges into rows, ascending. An edge is its target and behind that,
// in so many bits, its row. Row v ends up in edges[offsets[v]-offsets[0]:], as
// targets alone.
func (s *sorter) packed(offsets []uint64, edges []uint32, rowBits uint) {
	if len(offsets) == 2 {
		for i := range edges {
			edges[i] >>= rowBits
		}
		s.row(edges)
		return
	}
	s.from, s.to = room(s.from, len(edges)), room(s.to, len(edges))
	copy(s.from, edges)
	next, mask := s.starts(offsets), uint32(1)<<rowBits-1
	for _, e := range byDigits(s, s.from, s.to, rowBits) {
		at := next[e&mask]
		next[e&mask] = at + 1
		edges[at] = e >> rowBits
	}
}

// sort does the same with edges whose rows, and weights if there are any, lie
// beside the targets. Edges of the same target are put in order by weight. rows
// is nil where there is but one.
func (s *sorter) sort(offsets []uint64, rows []uint16, targets []uint32, weights []float64) {
	if weights == nil && len(offsets) == 2 {
		s.row(targets)
		return
	}
	n := len(targets)
	s.wide[0], s.wide[1] = room(s.wide[0], n), room(s.wide[1], n)
	s.floats = append(s.floats[:0], weights...)
	for i, t := range targets {
		s.wide[0][i] = uint64(t)<<32 | uint64(uint32(i))
	}
	next := s.starts(offsets)
	for _, e := range byDigits(s, s.wide[0], s.wide[1], 32) {
		i, row := uint32(e), uint16(0)
		if rows != nil {
			row = rows[i]
		}
		at := next[row]
		next[row] = at + 1
		targets[at] = uint32(e >> 32)
		if weights != nil {
			weights[at] = s.floats[i]
		}
	}
	if weights == nil {
		return
	}
	for v := range len(offsets) - 1 {
		first, end := offsets[v]-offsets[0], offsets[v+1]-offsets[0]
		sortEqual(targets[first:end], weights[first:end])
	}
}

// sortEqual puts the weights of equal targets in order.
func sortEqual(row []uint32, weights []float64) {
	for i := 1; i < len(row); i++ {
		if row[i] != row[i-1] {
			continue
		}
		first := i - 1
		for i < len(row) && row[i] == row[first] {
			i++
		}
		slices.Sort(weights[first:i])
	}
}

// row sorts a row alone, which may be as long as there are edges.
func (s *sorter) row(row []uint32) {
	if len(row) < 256 {
		slices.Sort(row)
		return
	}
	s.to = room(s.to, len(row))
	if sorted := byDigits(s, row, s.to, 0); &sorted[0] != &row[0] {
		copy(row, sorted)
	}
}

// byDigits sorts what is in from by the target, which begins at bit low. It
// uses both slices, and returns the one with the result.
func byDigits[T uint32 | uint64](s *sorter, from, to []T, low uint) []T {
	at, mask := s.counts, T(1)<<s.digit-1
	to = to[:len(from)]
	for pass := range s.passes {
		shift := low + uint(pass)*s.digit
		clear(at)
		for _, e := range from {
			at[e>>shift&mask]++
		}
		sum := uint32(0)
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		for _, e := range from {
			d := e >> shift & mask
			to[at[d]] = e
			at[d]++
		}
		from, to = to, from
	}
	return from
}

func (s *sorter) starts(offsets []uint64) []uint32 {
	s.next = s.next[:0]
	for _, x := range offsets[:len(offsets)-1] {
		s.next = append(s.next, uint32(x-offsets[0]))
	}
	return s.next
}

// room is n values to write over, in s if there are as many.
func room[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}
