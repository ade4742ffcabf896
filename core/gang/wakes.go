package gang

import "slices"

// wakes is moments at which what waits is to be looked at again, latest first.
type wakes []int64

func (w *wakes) add(at int64) {
	i, found := slices.BinarySearchFunc(*w, at, func(a, b int64) int {
		switch {
		case a > b:
			return -1
		case a < b:
			return 1
		}
		return 0
	})
	if !found {
		*w = slices.Insert(*w, i, at)
	}
}

// due takes out the next moment if it has come.
func (w *wakes) due(now int64) bool {
	n := len(*w)
	if n == 0 || (*w)[n-1] > now {
		return false
	}
	*w = (*w)[:n-1]
	return true
}

// next is the next moment; 0 for none.
func (w wakes) next() int64 {
	if len(w) == 0 {
		return 0
	}
	return w[len(w)-1]
}
