package coordinate

import (
	"testing"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
)

// produced is a machine of two ranks whose map tasks are done, each with
// partitions of those bytes, a pair for each 100.
func produced(maps int, bytes []int64, emitted int64, combined bool) *Machine {
	m := New(Config{Slots: 1, Attempts: 1}, State{Splits: make([]input.Split, maps), Partitions: len(bytes)})
	m.ranks = make([]*rank, 2)
	for _, i := range m.maps.items {
		x := &shuffle.Index{Total: len(bytes)}
		for _, n := range bytes {
			x.Partitions = append(x.Partitions, shuffle.Partition{Length: n, Rows: n / 100})
		}
		i.done = &task.Done{Index: x, Combined: combined, RecordsOut: emitted}
	}
	return m
}

func even(n int, bytes int64) []int64 {
	list := make([]int64, n)
	for i := range list {
		list[i] = bytes
	}
	return list
}

// TestReads: what jobs of usual shapes become.
func TestReads(t *testing.T) {
	const mb, many = 1 << 20, 1 << 40
	for _, c := range []struct {
		name     string
		maps     int
		bytes    []int64 // of each map
		emitted  int64   // by each map
		combined bool
		coalesce int64
		reduces  int
		merges   int
	}{
		{"a sort of 1 GB", 16, even(21, 3*mb), 0, false, 0, 21, 0},
		{"a word count of 1 GB", 4, even(4, 4*mb), many, true, 0, 4, 0},
		{"a tiny job", 1, even(4, 100), many, true, 0, 4, 0},
		{"2,000 partitions of 100 MB", 2, even(2000, 25_000), 0, false, 0, 16, 0},
		{"2,000 empty partitions", 2, even(2000, 0), 0, false, 0, 1, 0},
		{"2,000 partitions of 10 GB", 160, even(2000, 32<<10), 0, false, 0, 667, 0},
		{"the same in little memory", 160, even(2000, 32<<10), 0, false, 8 * mb, 2000, 0},
		{"one partition", 8, even(1, 10*mb), many, true, 0, 1, 2},
		{"one partition of few maps", 7, even(1, 10*mb), many, true, 0, 1, 0},
		{"one partition, not combined", 8, even(1, 10*mb), many, false, 0, 1, 0},
		{"one partition, combining was no use", 8, even(1, 10*mb), 110_000, true, 0, 1, 0},
		{"half in one partition", 8, []int64{30 * mb, 10 * mb, 10 * mb, 10 * mb}, many, true, 0, 4, 0},
		{"all in one partition", 8, []int64{0, 30 * mb, 0, 0}, many, true, 0, 3, 2},
	} {
		m := produced(c.maps, c.bytes, c.emitted, c.combined)
		m.cfg.Coalesce = c.coalesce
		m.planReads()
		if got, gotMerges := len(m.reduces.items), len(m.merges.items); got != c.reduces || gotMerges != c.merges {
			t.Errorf("%s: %d reduce tasks and %d merges, want %d and %d", c.name, got, gotMerges, c.reduces, c.merges)
		}
		next := 0
		for _, i := range m.reduces.items {
			if i.lo != next || len(i.sources) == 0 {
				t.Fatalf("%s: a reduce task of %d sources begins at partition %d, not %d", c.name, len(i.sources), i.lo, next)
			}
			next = i.hi
		}
		if next != len(c.bytes) {
			t.Errorf("%s: %d of %d partitions are read", c.name, next, len(c.bytes))
		}
	}
}
