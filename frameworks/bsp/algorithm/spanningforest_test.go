package algorithm

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestForestOfManyEdges has enough edges for several cuts and drops, many of the
// same weight, and compares with sorting them all.
func TestForestOfManyEdges(t *testing.T) {
	const vertices = 3000
	for _, weights := range []int{1, 5, 1 << 30} {
		r := rand.New(rand.NewPCG(9, uint64(weights)))
		var all []forestEdge
		filter := newForestFilter(vertices, 0)
		filter.limit = 7 * fewEdges
		for range 20 * fewEdges {
			a, b := uint32(r.IntN(vertices)), uint32(r.IntN(vertices))
			if a == b {
				continue
			}
			e := forestEdge{float64(r.IntN(weights)), min(a, b), max(a, b), min(a, b), max(a, b)}
			all = append(all, e)
			filter.add(e)
		}
		slices.SortFunc(all, forestEdge.compare)
		tree := newForestFilter(vertices, 0)
		for v := range tree.parent {
			tree.parent[v] = uint32(v)
		}
		var want []forestEdge
		for _, e := range all {
			if a, b := tree.find(e.low), tree.find(e.high); a != b {
				tree.parent[a] = b
				want = append(want, e)
			}
		}
		if d := cmp.Diff(want, filter.take(), cmp.AllowUnexported(forestEdge{})); d != "" {
			t.Errorf("%d weights: -sorted +filtered\n%s", weights, d)
		}
	}
}
