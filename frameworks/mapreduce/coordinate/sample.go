package coordinate

import (
	"bytes"
	"slices"

	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
)

// Index is what the world knows of a map task's output.
type Index = *shuffle.Index

// maxSamples bounds the sampled splits: keys from a hundred places of the input
// balance partitions as well as keys from all.
const maxSamples = 100

// newSample is a stage of evenly spaced splits.
func newSample(sizes []int64, firstTry int) *stage {
	n := min(len(sizes), maxSamples)
	picked := make([]int64, n)
	for i := range picked {
		picked[i] = sizes[i*len(sizes)/n]
	}
	return newStage(task.Sample, picked, firstTry)
}

// splitOf is the split that sample task i reads.
func (m *Machine) splitOf(i int) int {
	return i * len(m.state.Splits) / len(m.sample.items)
}

// sampled turns the samples into bounds and has them saved: every map task of
// every generation must cut by the same ones.
func (m *Machine) sampled() {
	var keys [][]byte
	for _, i := range m.sample.items {
		keys = append(keys, i.done.Keys...)
	}
	m.state.Bounds = bounds(keys, m.state.Partitions, m.cfg.Compare)
	m.state.Sampled = true
	m.sample = nil
	m.save()
}

// bounds picks n-1 upper bounds that cut keys into n parts of about one size.
// Without keys there are none, and everything is in partition 0.
func bounds(keys [][]byte, n int, compare func(a, b []byte) int) [][]byte {
	if compare == nil {
		compare = bytes.Compare
	}
	if len(keys) == 0 || n < 2 {
		return nil
	}
	slices.SortFunc(keys, compare)
	list := make([][]byte, n-1)
	for p := range list {
		list[p] = keys[(p+1)*len(keys)/n]
	}
	return list
}

// sliceIndex is x with partition p alone.
func sliceIndex(x Index, p int) Index {
	s := *x
	s.Partitions = nil
	if p < len(x.Partitions) {
		s.Partitions = x.Partitions[p : p+1]
	}
	return &s
}

// partitionBytes is the size of partition p over all sources.
func partitionBytes(sources []Index, p int) int64 {
	var n int64
	for _, x := range sources {
		if x != nil && p < len(x.Partitions) {
			n += x.Partitions[p].Length
		}
	}
	return n
}
