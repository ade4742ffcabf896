package core

import "slices"

// Intervals is a set of numbers as runs [first, last], ascending, apart from
// each other by more than one: its size goes with the runs. Of an array it holds
// the places of elements, from 0 (see Array.Place), which follow each other
// whatever the indexes are. The zero value is empty.
type Intervals [][2]int64

// Add puts n into the set.
func (s *Intervals) Add(n int64) {
	list := *s
	at := list.find(n)
	if at < len(list) && list[at][0] <= n {
		return
	}
	below := at > 0 && list[at-1][1] == n-1
	above := at < len(list) && list[at][0] == n+1
	switch {
	case below && above:
		list[at-1][1] = list[at][1]
		list = slices.Delete(list, at, at+1)
	case below:
		list[at-1][1] = n
	case above:
		list[at][0] = n
	default:
		list = slices.Insert(list, at, [2]int64{n, n})
	}
	*s = list
}

// find is the first run that does not end before n.
func (s Intervals) find(n int64) int {
	at, _ := slices.BinarySearchFunc(s, n, func(run [2]int64, n int64) int {
		if run[1] < n {
			return -1
		}
		return 1
	})
	return at
}

// Has reports whether n is in the set.
func (s Intervals) Has(n int64) bool {
	at := s.find(n)
	return at < len(s) && s[at][0] <= n
}

// Len is how many numbers the set has.
func (s Intervals) Len() int {
	n := int64(0)
	for _, run := range s {
		n += run[1] - run[0] + 1
	}
	return int(n)
}

// Valid reports whether the runs are in order, as those of another process may
// not be.
func (s Intervals) Valid() bool {
	for i, run := range s {
		if run[0] > run[1] || i > 0 && run[0] <= s[i-1][1]+1 {
			return false
		}
	}
	return true
}

// Indexes is the part of the array that lies at places, all of which it has.
func (a *Array) Indexes(places Intervals) []ArrayRange {
	var out []ArrayRange
	for _, run := range places {
		at := int64(0)
		for _, r := range a.Ranges {
			n := int64(r.len())
			lo, hi := max(run[0], at), min(run[1], at+n-1)
			if lo <= hi {
				out = append(out, ArrayRange{r.First + (lo-at)*r.Step, r.First + (hi-at)*r.Step, r.Step})
			}
			at += n
		}
	}
	return out
}

// Places is where the indexes of ranges lie in the array; what it does not have
// is left out.
func (a *Array) Places(ranges []ArrayRange) Intervals {
	var out Intervals
	for _, r := range ranges {
		for i := r.First; i <= r.Last; i += max(1, r.Step) {
			if n, ok := a.Place(i); ok {
				out.Add(int64(n))
			}
		}
	}
	return out
}
