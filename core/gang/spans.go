package gang

import (
	"fmt"
	"slices"
	"strings"
)

// spans is a set of whole numbers as sorted, disjoint, non-adjacent intervals:
// what became of the elements of an array, which end roughly in order, in next
// to no space. The zero value is empty.
type spans []span

// span is First up to and with Last.
type span struct{ First, Last int }

// at is the interval that holds n, or the place where one would stand.
func (s spans) at(n int) (int, bool) {
	return slices.BinarySearchFunc(s, n, func(v span, n int) int {
		switch {
		case v.Last < n:
			return -1
		case v.First > n:
			return 1
		}
		return 0
	})
}

func (s spans) has(n int) bool { _, ok := s.at(n); return ok }

// len is how many numbers there are.
func (s spans) len() int {
	n := 0
	for _, v := range s {
		n += v.Last - v.First + 1
	}
	return n
}

// add puts n in.
func (s *spans) add(n int) {
	i, found := s.at(n)
	if found {
		return
	}
	left := i > 0 && (*s)[i-1].Last == n-1
	right := i < len(*s) && (*s)[i].First == n+1
	switch {
	case left && right:
		(*s)[i-1].Last = (*s)[i].Last
		*s = slices.Delete(*s, i, i+1)
	case left:
		(*s)[i-1].Last = n
	case right:
		(*s)[i].First = n
	default:
		*s = slices.Insert(*s, i, span{n, n})
	}
}

// remove takes n out.
func (s *spans) remove(n int) {
	i, found := s.at(n)
	if !found {
		return
	}
	switch v := (*s)[i]; {
	case v.First == v.Last:
		*s = slices.Delete(*s, i, i+1)
	case v.First == n:
		(*s)[i].First++
	case v.Last == n:
		(*s)[i].Last--
	default:
		(*s)[i].Last = n - 1
		*s = slices.Insert(*s, i+1, span{n + 1, v.Last})
	}
}

// first is the least number of s that is in within, too; within nil is all.
func (s spans) first(within spans, all bool) (int, bool) {
	if all {
		if len(s) == 0 {
			return 0, false
		}
		return s[0].First, true
	}
	for i, j := 0, 0; i < len(s) && j < len(within); {
		if lo := max(s[i].First, within[j].First); lo <= min(s[i].Last, within[j].Last) {
			return lo, true
		}
		if s[i].Last < within[j].Last {
			i++
		} else {
			j++
		}
	}
	return 0, false
}

// union is what is in a or in b.
func union(a, b spans) spans {
	out := make(spans, 0, len(a)+len(b))
	for i, j := 0, 0; i < len(a) || j < len(b); {
		var v span
		if j == len(b) || i < len(a) && a[i].First <= b[j].First {
			v, i = a[i], i+1
		} else {
			v, j = b[j], j+1
		}
		if n := len(out); n > 0 && v.First <= out[n-1].Last+1 {
			out[n-1].Last = max(out[n-1].Last, v.Last)
		} else {
			out = append(out, v)
		}
	}
	return out
}

// intersect is what is in a and in b.
func intersect(a, b spans) spans {
	var out spans
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if lo, hi := max(a[i].First, b[j].First), min(a[i].Last, b[j].Last); lo <= hi {
			out = append(out, span{lo, hi})
		}
		if a[i].Last < b[j].Last {
			i++
		} else {
			j++
		}
	}
	return out
}

// subtract is what is in a and not in b.
func subtract(a, b spans) spans {
	var out spans
	j := 0
	for _, v := range a {
		for j < len(b) && b[j].Last < v.First {
			j++
		}
		first := v.First
		for k := j; k < len(b) && b[k].First <= v.Last; k++ {
			if first < b[k].First {
				out = append(out, span{first, b[k].First - 1})
			}
			first = b[k].Last + 1
		}
		if first <= v.Last {
			out = append(out, span{first, v.Last})
		}
	}
	return out
}

func (s spans) String() string {
	var parts []string
	for _, v := range s {
		if v.First == v.Last {
			parts = append(parts, fmt.Sprint(v.First))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", v.First, v.Last))
		}
	}
	return strings.Join(parts, ",")
}
