package graph

// finder says which part of neighbouring rows a row is in. The table is small
// enough for a cache: long rows, which are most often asked for, have an entry
// each; the rest have one for so many rows, which parts do not cut.
type finder struct {
	of    []uint32
	alone uint32 // rows below have their own entry
	shift uint
}

func (f *finder) find(row uint32) uint32 {
	at := row
	if row >= f.alone {
		at = f.alone + (row-f.alone)>>(f.shift&31)
	}
	return f.of[at]
}

// sharedRows is how many rows share an entry, and sharedBits the same in bits.
const (
	sharedBits = 6
	sharedRows = 1 << sharedBits
)

// part cuts the rows that offsets are of into parts and tells f of each: it ends
// where it has so many edges, or about as many rows as rows, at most. A row that
// has as many edges by itself is a part by itself.
func part(offsets []uint64, edges uint64, rows int, f func(Range)) finder {
	n := len(offsets) - 1
	p := finder{shift: sharedBits}
	for v := range n {
		if offsets[v+1]-offsets[v] >= edges/sharedRows {
			p.alone = uint32(v + 1)
		}
	}
	number, first := uint32(0), 0
	cut := func(at int) {
		f(Range{first, at})
		number, first = number+1, at
	}
	for v := 0; v < n; {
		end := v + 1
		if v >= int(p.alone) {
			end = min(v+sharedRows, n)
		}
		if v > first && (offsets[end]-offsets[v] >= edges || end-first > rows) {
			cut(v)
		}
		p.of = append(p.of, number)
		if offsets[end]-offsets[first] >= edges || end == n {
			cut(end)
		}
		v = end
	}
	return p
}
