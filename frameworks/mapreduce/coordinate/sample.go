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
	var samples [][][]byte
	for _, i := range m.sample.items {
		samples = append(samples, i.done.Keys)
	}
	m.state.Bounds = bounds(samples, m.state.Partitions, m.cfg.Orders)
	m.state.Sampled = true
	m.sample = nil
	m.save()
}

// bounds picks at most n-1 upper bounds that cut the keys of all samples into n
// parts of about one size. They ascend, and the least key is none of them: a
// frequent key takes one part, it does not empty its neighbours. Without keys
// there are no bounds, and everything is in partition 0.
func bounds(samples [][][]byte, n int, orders []func(a, b []byte) int) [][]byte {
	keys := slices.Concat(samples...)
	order := agreed(samples, orders)
	slices.SortFunc(keys, order)
	var list [][]byte
	last := 0
	for p := 1; p < n; p++ {
		k := max(p*len(keys)/n, last+1)
		for k < len(keys) && order(keys[k], keys[last]) == 0 {
			k++
		}
		if k >= len(keys) {
			break
		}
		list, last = append(list, keys[k]), k
	}
	return list
}

// agreed is the first order in which every sample is sorted; the last one if
// there is none.
func agreed(samples [][][]byte, orders []func(a, b []byte) int) func(a, b []byte) int {
	for _, order := range orders {
		if !slices.ContainsFunc(samples, func(keys [][]byte) bool { return !slices.IsSortedFunc(keys, order) }) {
			return order
		}
	}
	if len(orders) > 0 {
		return orders[len(orders)-1]
	}
	return bytes.Compare
}
