package algorithm

import (
	"cmp"
	"context"
	"slices"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Kinds of blocks that a sort sends.
const (
	blockSample uint32 = 0x4f01 + iota
	blockKeys
	blockPlaces
)

// sampleKeys is how many keys of a rank the borders between ranks are chosen by.
const sampleKeys = 128

// placesOf tells the place of each of a rank's keys among the keys of all ranks,
// which are distinct: 0 is that of the smallest. It sorts by sampling (Frazer and
// McKellar, "Samplesort", 1970), a rank a run of the keys. It takes three Syncs.
func placesOf(ctx context.Context, p *peer.Peer, keys []uint64) ([]uint32, error) {
	index := make([]uint32, len(keys)) // of keys, ascending
	for i := range index {
		index[i] = uint32(i)
	}
	slices.SortFunc(index, func(a, b uint32) int { return cmp.Compare(keys[a], keys[b]) })
	sorted := make([]uint64, len(keys))
	for i, at := range index {
		sorted[i] = keys[at]
	}
	borders, err := sortBorders(ctx, p, sorted)
	if err != nil {
		return nil, err
	}
	cuts := make([]int, p.Size()+1)
	runs := make([][]uint64, p.Size())
	for r := range p.Size() {
		cuts[r+1] = len(keys)
		if r < len(borders) {
			cuts[r+1], _ = slices.BinarySearch(sorted, borders[r])
		}
		runs[r] = sorted[cuts[r]:cuts[r+1]]
	}
	if runs, err = swap(ctx, p, blockKeys, runs); err != nil {
		return nil, err
	}
	return tellPlaces(ctx, p, index, cuts, runs)
}

// sortBorders chooses at most Size-1 keys, ascending, that cut all keys into
// about equal parts, the same on every rank.
func sortBorders(ctx context.Context, p *peer.Peer, sorted []uint64) ([]uint64, error) {
	count := min(sampleKeys, len(sorted))
	sample := make([]uint64, 0, count)
	for i := range count {
		sample = append(sample, sorted[i*len(sorted)/count])
	}
	to := make([][]uint64, p.Size())
	for r := range to {
		to[r] = sample
	}
	came, err := swap(ctx, p, blockSample, to)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(came...)
	slices.Sort(all)
	var borders []uint64
	for r := 1; r < p.Size() && len(all) > 0; r++ {
		borders = append(borders, all[r*len(all)/p.Size()])
	}
	return borders, nil
}

// tellPlaces sorts what came from all ranks and tells them their places. Own keys
// in index[cuts[r]:cuts[r+1]] went to rank r, in that order.
func tellPlaces(ctx context.Context, p *peer.Peer, index []uint32, cuts []int, runs [][]uint64) ([]uint32, error) {
	type key struct {
		key      uint64
		from, at uint32
	}
	var all []key
	answers := make([][]uint64, p.Size())
	for from, run := range runs {
		answers[from] = make([]uint64, 1+len(run))
		for at, k := range run {
			all = append(all, key{k, uint32(from), uint32(1 + at)})
		}
	}
	slices.SortFunc(all, func(a, b key) int { return cmp.Compare(a.key, b.key) })
	for from := range answers {
		answers[from][0] = uint64(len(all))
	}
	for i, k := range all {
		answers[k.from][k.at] = uint64(i)
	}
	came, err := swap(ctx, p, blockPlaces, answers)
	if err != nil {
		return nil, err
	}
	places := make([]uint32, len(index))
	base := uint64(0) // keys that ranks below have
	for r, answer := range came {
		for i, at := range answer[1:] {
			places[index[cuts[r]+i]] = uint32(base + at)
		}
		base += answer[0]
	}
	return places, nil
}
