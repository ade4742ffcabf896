package store

import (
	"cmp"
	"slices"

	"github.com/capstan-run/capstan/core"
)

const (
	// coalesced is how many bytes one GET of ReadRanges asks for at most. What
	// is longer is cut evenly, so no GET of a long stretch is below half of it.
	// A GET costs the embedded server as much CPU as 256 KiB of data do, and S3
	// a round trip that carries as much as several MiB.
	coalesced = 16 << 20
	// gapMax is how many unwanted bytes between two ranges are rather read and
	// dropped than skipped with another GET.
	gapMax = 512 << 10
)

// Range is Len bytes of an object from Off on.
type Range struct{ Off, Len int64 }

func (r Range) end() int64 { return r.Off + r.Len }

// fill is a buffer for the bytes of an object from off on.
type fill struct {
	off int64
	buf []byte
}

func (f fill) end() int64 { return f.off + int64(len(f.buf)) }

// piece is one GET and the buffers it fills, disjoint and in order of their
// offsets. It starts with the first and ends with the last of them.
type piece struct {
	Range
	fills []fill
}

// plan turns what is asked for into the GETs that fetch every wanted byte once,
// and echoes: buffers for bytes that overlapping ranges have fetched.
func plan(ranges []Range, into [][]byte) (pieces []piece, echoes []fill) {
	fills, echoes := disjoint(ranges, into)
	for len(fills) > 0 {
		n := 1
		for n < len(fills) && fills[n].off-fills[n-1].end() <= gapMax {
			n++
		}
		pieces = append(pieces, cut(fills[:n])...)
		fills = fills[n:]
	}
	return pieces, echoes
}

// disjoint sorts the buffers by offset and takes what overlaps out of them.
func disjoint(ranges []Range, into [][]byte) (fills, echoes []fill) {
	order := make([]int, 0, len(ranges))
	for i, r := range ranges {
		if r.Len > 0 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(ranges[a].Off, ranges[b].Off), cmp.Compare(ranges[b].Len, ranges[a].Len))
	})
	var reach int64 // every wanted byte below it is in a fill
	for _, i := range order {
		r, buf := ranges[i], into[i]
		known := min(max(reach-r.Off, 0), r.Len)
		if known > 0 {
			echoes = append(echoes, fill{r.Off, buf[:known]})
		}
		if known < r.Len {
			fills = append(fills, fill{r.Off + known, buf[known:]})
			reach = r.end()
		}
	}
	return fills, echoes
}

// cut makes pieces of equal length, at most coalesced, of a stretch of fills.
func cut(fills []fill) (pieces []piece) {
	start := fills[0].off
	length := fills[len(fills)-1].end() - start
	n := (length + coalesced - 1) / coalesced
	size := (length + n - 1) / n
	for _, f := range fills {
		for len(f.buf) > 0 {
			border := start + ((f.off-start)/size+1)*size
			part := min(int64(len(f.buf)), border-f.off)
			pieces = put(pieces, fill{f.off, f.buf[:part:part]}, border-size)
			f = fill{f.off + part, f.buf[part:]}
		}
	}
	return pieces
}

// put adds f to the last piece, if that lies at or above floor, or to a new one.
func put(pieces []piece, f fill, floor int64) []piece {
	if n := len(pieces); n > 0 && pieces[n-1].Off >= floor {
		last := &pieces[n-1]
		last.fills = append(last.fills, f)
		last.Len = f.end() - last.Off
		return pieces
	}
	return append(pieces, piece{Range{f.off, int64(len(f.buf))}, []fill{f}})
}

// answer copies into the echoes what the pieces have fetched.
func answer(echoes []fill, pieces []piece) {
	var all []fill
	if len(echoes) > 0 {
		for _, p := range pieces {
			all = append(all, p.fills...)
		}
	}
	for _, e := range echoes {
		i, _ := slices.BinarySearchFunc(all, e.off, func(f fill, off int64) int {
			if f.end() <= off {
				return -1
			}
			return 1
		})
		for len(e.buf) > 0 {
			n := copy(e.buf, all[i].buf[e.off-all[i].off:])
			e, i = fill{e.off + int64(n), e.buf[n:]}, i+1
		}
	}
}

func checkRanges(path string, ranges []Range, into [][]byte) error {
	if len(ranges) != len(into) {
		return core.Errorf(core.Internal, "%d ranges and %d buffers", len(ranges), len(into)).At(path)
	}
	for i, r := range ranges {
		if r.Off < 0 || r.Len < 0 || r.end() < r.Off || r.Len != int64(len(into[i])) {
			return core.Errorf(core.Internal, "range %d+%d for a buffer of %d bytes", r.Off, r.Len, len(into[i])).At(path)
		}
	}
	return nil
}
