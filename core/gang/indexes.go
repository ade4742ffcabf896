package gang

import (
	"slices"

	"github.com/capstan-run/capstan/core"
)

// Elements of one array go by their places in it; those of different arrays
// meet by their indexes.

// translate is the elements of a set of places in one array that another array
// has, too, as places in that one. Ranges of one step cost the same however
// long they are.
func translate(set spans, from, to *core.Array) spans {
	if len(set) == 0 || slices.Equal(from.Ranges, to.Ranges) {
		return set
	}
	var out spans
	base := 0
	for _, f := range from.Ranges {
		n := length(f)
		if part := intersect(set, spans{{base, base + n - 1}}); len(part) > 0 {
			out = union(out, translateRange(part, f, base, to))
		}
		base += n
	}
	return out
}

// translateRange is translate for places within range f, of which the first is
// base.
func translateRange(part spans, f core.ArrayRange, base int, to *core.Array) spans {
	var out spans
	first := 0
	for _, t := range to.Ranges {
		n := length(t)
		if f.Step == t.Step && (t.First-f.First)%f.Step == 0 {
			shift := first + int((f.First-t.First)/f.Step) - base
			var moved spans
			for _, v := range part {
				moved = append(moved, span{v.First + shift, v.Last + shift})
			}
			out = union(out, intersect(moved, spans{{first, first + n - 1}}))
		} else {
			for _, v := range part {
				for k := v.First; k <= v.Last; k++ {
					if index := f.First + int64(k-base)*f.Step; index >= t.First && index <= t.Last && (index-t.First)%t.Step == 0 {
						out.add(first + int((index-t.First)/t.Step))
					}
				}
			}
		}
		first += n
	}
	return out
}

// placesOf is the places in an array of the indexes in ranges.
func placesOf(ranges []core.ArrayRange, in *core.Array) spans {
	var out spans
	for _, r := range ranges {
		r.Step = max(1, r.Step)
		if r.Last >= r.First {
			out = union(out, translateRange(spans{{0, length(r) - 1}}, r, 0, in))
		}
	}
	return out
}

// indexes is the indexes of places in an array.
func indexes(set spans, of *core.Array) []core.ArrayRange {
	var out []core.ArrayRange
	base := 0
	for _, r := range of.Ranges {
		n := length(r)
		for _, v := range intersect(set, spans{{base, base + n - 1}}) {
			step := r.Step
			if v.First == v.Last {
				step = 1
			}
			out = append(out, core.ArrayRange{First: r.First + int64(v.First-base)*r.Step, Last: r.First + int64(v.Last-base)*r.Step, Step: step})
		}
		base += n
	}
	return out
}

func length(r core.ArrayRange) int { return int((r.Last-r.First)/r.Step) + 1 }
