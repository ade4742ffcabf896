package shuffle

import "fmt"

// Share is what one consumer reads: the partitions Lo to Hi-1 of the objects
// From to To-1 of the planned ones.
type Share struct {
	Lo, Hi   int
	From, To int
	Bytes    int64 // of those partitions, padding included
	Rows     int64
}

// Divided reports whether other shares have other producers' rows of the same
// partition: what comes of them has yet to be merged. n is the number of
// objects that were planned.
func (s Share) Divided(n int) bool { return s.From > 0 || s.To < n }

// PlanReads divides the partitions of all objects of an edge among consumers,
// by the exact sizes of their committed indexes, so that a consumer reads
// about target bytes:
//
//   - neighbours are coalesced while together they have at most target bytes;
//   - with divisible set, a partition of twice target or more is divided by
//     ranges of producers, as evenly as their parts of it allow: for operations
//     whose results over parts of a partition can be merged.
//
// Every partition of every object is in one share, empty ones too, in order of
// partitions, then of producers (law X9). The indexes hold the same
// partitions, all of them or the same slice. target is at least 1.
func PlanReads(indexes []*Index, target int64, divisible bool) ([]Share, error) {
	if target < 1 {
		return nil, fmt.Errorf("plan reads of %d bytes each, must be at least 1", target)
	}
	if len(indexes) == 0 {
		return nil, nil
	}
	first := indexes[0]
	for _, x := range indexes {
		if x.Total != first.Total || x.First != first.First || len(x.Partitions) != len(first.Partitions) {
			return nil, fmt.Errorf("plan reads: exchange object %s holds partitions %d+%d of %d, object %s %d+%d of %d",
				first.Name, first.First, len(first.Partitions), first.Total, x.Name, x.First, len(x.Partitions), x.Total)
		}
	}
	var out []Share
	var open *Share // takes neighbours
	for i := range first.Partitions {
		one := shareOf(indexes, i)
		switch {
		case open != nil && one.Bytes <= target-open.Bytes:
			open.Hi, open.Bytes, open.Rows = one.Hi, open.Bytes+one.Bytes, open.Rows+one.Rows
			continue
		case divisible && one.Bytes/2 >= target:
			out, open = append(out, divide(indexes, i, one, target)...), nil
			continue
		}
		out = append(out, one)
		open = &out[len(out)-1]
	}
	return out, nil
}

// shareOf is the whole of the i-th partition that the indexes hold.
func shareOf(indexes []*Index, i int) Share {
	p := indexes[0].First + i
	s := Share{Lo: p, Hi: p + 1, To: len(indexes)}
	for _, x := range indexes {
		s.Bytes += x.Partitions[i].Length
		s.Rows += x.Partitions[i].Rows
	}
	return s
}

// divide cuts the i-th partition, whole in one, where producers meet: a
// producer goes to the part that the middle of its bytes falls into.
func divide(indexes []*Index, i int, one Share, target int64) []Share {
	n := (one.Bytes + target/2) / target
	size := (one.Bytes + n - 1) / n
	var out []Share
	at, last := int64(0), int64(-1)
	for k, x := range indexes {
		p := &x.Partitions[i]
		if part := (at + p.Length/2) / size; part > last || len(out) == 0 {
			out = append(out, Share{Lo: one.Lo, Hi: one.Hi, From: k, To: k})
			last = part
		}
		s := &out[len(out)-1]
		s.To, s.Bytes, s.Rows = k+1, s.Bytes+p.Length, s.Rows+p.Rows
		at += p.Length
	}
	return out
}
