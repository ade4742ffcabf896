package algorithm

import "math/bits"

// tally finds the most frequent of some labels. It belongs to one core.
type tally struct {
	labels []uint32 // those of the vertex at hand
	table  []uint64 // label<<32|count by open addressing; count 0 is a free place

	followed int64 // edges, by whoever asks
}

// small is how many labels are sorted rather than hashed.
const small = 12

// mostFrequent is the smallest of the labels that are there most often. There is
// at least one.
func (t *tally) mostFrequent() uint32 {
	if len(t.labels) <= small {
		return mostFrequentSorted(t.labels)
	}
	shift := 64 - bits.Len(uint(2*len(t.labels)-1))
	size := 1 << (64 - shift)
	if len(t.table) < size {
		t.table = make([]uint64, size)
	}
	table := t.table[:size]
	clear(table)
	var best uint32
	var most uint32
	for _, label := range t.labels {
		at := (uint64(label) * 0x9e3779b97f4a7c15) >> shift
		for {
			entry := table[at&uint64(len(table)-1)]
			count := uint32(entry)
			if count != 0 && uint32(entry>>32) != label {
				at++
				continue
			}
			count++
			table[at&uint64(len(table)-1)] = uint64(label)<<32 | uint64(count)
			if count > most || count == most && label < best {
				best, most = label, count
			}
			break
		}
	}
	return best
}

// mostFrequentSorted sorts the labels by insertion.
func mostFrequentSorted(labels []uint32) uint32 {
	for i := 1; i < len(labels); i++ {
		l := labels[i]
		j := i
		for ; j > 0 && labels[j-1] > l; j-- {
			labels[j] = labels[j-1]
		}
		labels[j] = l
	}
	best, most := labels[0], 0
	for i := 0; i < len(labels); {
		j := i + 1
		for j < len(labels) && labels[j] == labels[i] {
			j++
		}
		if j-i > most {
			best, most = labels[i], j-i
		}
		i = j
	}
	return best
}
