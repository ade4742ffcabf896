package graph

import (
	"slices"
	"strconv"
)

// IDs is the vertices of a partition as the input names them, by local vertex.
type IDs struct {
	// place is where an id stands among all ids of the graph in their order.
	// Without ints and text it is the id itself.
	place []uint32
	ints  []int64
	text  []byte
	ends  []uint64 // of each id in text
}

// Len is how many there are.
func (d *IDs) Len() int { return len(d.place) }

// Integers reports whether the ids are numbers.
func (d *IDs) Integers() bool { return d.ends == nil }

// Int is the id of local vertex v, where ids are integers.
func (d *IDs) Int(v int) int64 {
	if d.ints != nil {
		return d.ints[v]
	}
	return int64(d.place[v])
}

// Append appends the id of v as text to b.
func (d *IDs) Append(b []byte, v int) []byte {
	if d.ends == nil {
		return strconv.AppendInt(b, d.Int(v), 10)
	}
	start := uint64(0)
	if v > 0 {
		start = d.ends[v-1]
	}
	return append(b, d.text[start:d.ends[v]]...)
}

// String is the id of v as text.
func (d *IDs) String(v int) string { return string(d.Append(nil, v)) }

// Place is where v's id stands among all ids of the graph: integers by value,
// texts by their bytes. Of two vertices of any ranks, the one with the smaller
// Place has the smaller id. Places are not dense.
func (d *IDs) Place(v int) uint32 { return d.place[v] }

// Find is the local vertex with that id, if this rank has it.
func (d *IDs) Find(id string) (int, bool) {
	if d.ends == nil {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return 0, false
		}
		return d.findInt(n)
	}
	for v := range d.place {
		if d.String(v) == id {
			return v, true
		}
	}
	return 0, false
}

func (d *IDs) findInt(n int64) (int, bool) {
	if d.ints != nil {
		v := slices.Index(d.ints, n)
		return v, v >= 0
	}
	if n < 0 || n >= int64(absent) {
		return 0, false
	}
	v := slices.Index(d.place, uint32(n))
	return v, v >= 0
}

func (d *IDs) bytes() int64 {
	return int64(4*len(d.place) + 8*len(d.ints) + len(d.text) + 8*len(d.ends))
}
