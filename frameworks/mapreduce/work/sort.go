package work

import (
	"cmp"
	"slices"
)

// item is a key to sort: its partition, the prefix of its order, and where the
// pair lies. Before sorting, items are in the order of emission.
type item struct {
	prefix uint64
	part   uint32
	ref    uint32
}

// sorter sorts items by partition and key, keeping the order of equal keys
// (law W1). It keeps its scratch space for the next use.
//
// Items are scattered by partition, then radix sorted by prefix, least
// significant byte first, skipping bytes that all share; then the store may
// bring its pairs into that order; and only runs of equal prefixes compare keys.
type sorter struct {
	scratch []item
	ends    []int
}

// sort orders items and returns them with the end of each partition: partition
// p is sorted[ends[p-1]:ends[p]]. Both results are the sorter's, valid until its
// next use. arrange, if not nil, sees all items once they are in the order of
// prefixes, and may change their refs but not their order. compare compares two items of one
// partition and equal prefixes.
func (s *sorter) sort(items []item, parts int, arrange func([]item), compare func(a, b item) int) (sorted []item, ends []int) {
	if cap(s.scratch) < len(items) {
		s.scratch = make([]item, len(items))
	}
	sorted = s.scratch[:len(items)]
	ends = s.scatter(items, sorted, parts)
	from := 0
	for _, end := range ends {
		radix(sorted[from:end], items[from:end])
		from = end
	}
	if arrange != nil {
		arrange(sorted)
	}
	from = 0
	for _, end := range ends {
		ties(sorted[from:end], compare)
		from = end
	}
	return sorted, ends
}

// scatter copies src to dst by partition, stably.
func (s *sorter) scatter(src, dst []item, parts int) []int {
	s.ends = slices.Grow(s.ends[:0], parts)[:parts]
	clear(s.ends)
	for i := range src {
		s.ends[src[i].part]++
	}
	sum := 0
	for p, n := range s.ends {
		s.ends[p] = sum
		sum += n
	}
	for i := range src {
		p := src[i].part
		dst[s.ends[p]] = src[i]
		s.ends[p]++
	}
	return s.ends
}

const smallSort = 64

// radix sorts a by prefix, stably; b is scratch space of the same length.
func radix(a, b []item) {
	if len(a) <= smallSort {
		insertion(a)
		return
	}
	var counts [8][256]uint32
	for i := range a {
		p := a[i].prefix
		for k := range counts {
			counts[k][byte(p>>(8*k))]++
		}
	}
	src, dst := a, b
	for k := range counts {
		c := &counts[k]
		if c[byte(a[0].prefix>>(8*k))] == uint32(len(a)) {
			continue
		}
		sum := uint32(0)
		for v := range c {
			c[v], sum = sum, sum+c[v]
		}
		shift := uint(8 * k)
		for i := range src {
			v := byte(src[i].prefix >> shift)
			dst[c[v]] = src[i]
			c[v]++
		}
		src, dst = dst, src
	}
	if &src[0] != &a[0] {
		copy(a, src)
	}
}

func insertion(a []item) {
	for i := 1; i < len(a); i++ {
		x, j := a[i], i
		for ; j > 0 && a[j-1].prefix > x.prefix; j-- {
			a[j] = a[j-1]
		}
		a[j] = x
	}
}

// ties sorts each run of equal prefixes by whole key. Equal keys keep their
// order, since refs ascend within a run: a sort that need not be stable is
// twice as fast.
func ties(a []item, compare func(a, b item) int) {
	for i := 0; i < len(a); {
		j := i + 1
		for j < len(a) && a[j].prefix == a[i].prefix {
			j++
		}
		if j-i > 1 {
			slices.SortFunc(a[i:j], func(x, y item) int {
				if c := compare(x, y); c != 0 {
					return c
				}
				return cmp.Compare(x.ref, y.ref)
			})
		}
		i = j
	}
}
