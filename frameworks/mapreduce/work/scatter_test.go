package work

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestScatteredPairsComeSorted, with equal keys in input order, whatever the
// memory, the splits and the partitions: laws W1 and W2 where nothing combines.
func TestScatteredPairsComeSorted(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var lines []string
	for i := range 20_000 {
		// Some prefixes of eight bytes are the same, some keys are, some are short.
		key := fmt.Sprintf("key-%04d-%d", random.IntN(300), random.IntN(20))[:4+random.IntN(7)]
		lines = append(lines, fmt.Sprintf("%s\t%d", key, i))
	}
	want := slices.Clone(lines)
	sort.SliceStable(want, func(i, j int) bool {
		a, _, _ := strings.Cut(want[i], "\t")
		b, _, _ := strings.Cut(want[j], "\t")
		return a < b
	})
	for _, c := range []struct {
		name                  string
		splits, parts, budget int
		reduce                string
	}{
		{"one of all", 1, 1, 0, "identity"},
		{"many", 7, 5, 0, "identity"},
		{"spilled", 3, 2, 40_000, "identity"},
		{"through a reducer", 7, 3, 0, "first"},
	} {
		r := trial{text: strings.Join(lines, "\n") + "\n", splits: c.splits, parts: c.parts, budget: c.budget,
			body: `{"input":{"path":"file:///x"},"map":{"use":"identity"},"shuffle":{"by":"range"},"reduce":{"use":"` + c.reduce + `"},"output":{"path":"file:///y"}}`}.run(t)
		expect := want
		if c.reduce == "first" {
			expect = slices.CompactFunc(slices.Clone(want), func(a, b string) bool {
				x, _, _ := strings.Cut(a, "\t")
				y, _, _ := strings.Cut(b, "\t")
				return x == y
			})
		}
		if got := r.text; got != strings.Join(expect, "\n")+"\n" {
			t.Errorf("%s: %d bytes of output differ from what a stable sort gives", c.name, len(got))
		}
	}
}

func TestFixedRecordsGoThrough(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var records [][]byte
	for range 5000 {
		r := make([]byte, 100)
		for i := range r {
			r[i] = byte(random.Uint32())
		}
		records = append(records, r)
	}
	input := string(bytes.Join(records, nil))
	slices.SortFunc(records, bytes.Compare) // random keys of ten bytes differ
	r := trial{text: input, splits: 3, parts: 4,
		body: `{"input":{"path":"file:///x","format":"fixed","recordLength":100,"keyLength":10},"map":{"use":"identity"},"shuffle":{"by":"range"},"reduce":{"use":"identity"},"output":{"path":"file:///y","format":"fixed"}}`}.run(t)
	if r.text != string(bytes.Join(records, nil)) {
		t.Errorf("%d bytes of output are not the %d of the input in order", len(r.text), len(input))
	}
}

// TestRangeIsByWholeKeys: the look at prefixes finds what comparing with every
// bound does.
func TestRangeIsByWholeKeys(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		o := Order{Descending: rapid.Bool().Draw(r, "descending"), Numeric: rapid.Bool().Draw(r, "numeric")}
		key := rapid.Map(rapid.StringMatching(`[ab0-9]{0,12}`), func(s string) []byte { return []byte(s) })
		bounds := rapid.SliceOfN(key, 0, 40).Draw(r, "bounds")
		slices.SortFunc(bounds, o.Compare)
		bounds = slices.CompactFunc(bounds, func(a, b []byte) bool { return o.Compare(a, b) == 0 })
		p := &Partitioner{parts: len(bounds) + 1, order: o, bounds: bounds, ranged: true}
		for _, b := range bounds {
			p.prefixes = append(p.prefixes, o.Prefix(b))
		}
		for _, k := range append(rapid.SliceOf(key).Draw(r, "keys"), bounds...) {
			want := 0
			for want < len(bounds) && o.Compare(k, bounds[want]) >= 0 {
				want++
			}
			if got := p.Of(k); got != want {
				r.Fatalf("key %q belongs to partition %d of %q, and got %d", k, want, bounds, got)
			}
		}
	})
}
