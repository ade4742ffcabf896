package graph

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestBuilder holds rows of all kinds to a plain sort: targets that leave bits for
// the row and those that do not, weights, long rows among short ones, files.
func TestBuilder(t *testing.T) {
	for _, limit := range []int{1, 10, 1 << 20, 1<<24 + 1, math.MaxUint32} {
		for _, weighted := range []bool{false, true} {
			for _, memory := range []int64{math.MaxInt64, 1 << 10} {
				t.Run(fmt.Sprint(limit, weighted, memory), func(t *testing.T) { tryBuilder(t, limit, weighted, memory) })
			}
		}
	}
}

// built is an edge to be.
type built struct {
	row, target uint32
	weight      float64
}

func tryBuilder(t *testing.T, limit int, weighted bool, memory int64) {
	r := rand.New(rand.NewPCG(uint64(limit), 7))
	degrees := make([]uint32, 3000)
	var edges []built
	for v := range degrees {
		degrees[v] = r.Uint32N(20)
		switch v {
		case 0, 1700:
			degrees[v] = groupEdges + 5
		case 900:
			degrees[v] = groupEdges / 2
		}
		for range degrees[v] {
			edges = append(edges, built{uint32(v), uint32(r.Uint64N(uint64(limit))), float64(r.Uint32N(4))})
		}
	}
	r.Shuffle(len(edges), func(i, j int) { edges[i], edges[j] = edges[j], edges[i] })
	c, owner := makeRows(t, plan{degrees: degrees, limit: limit, weighted: weighted, memory: memory, keep: math.MaxInt64, scratch: t.TempDir(), cores: 2}, edges)
	slices.SortFunc(edges, func(a, b built) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.target, b.target), cmp.Compare(a.weight, b.weight))
	})
	at := 0
	for v := range degrees {
		for i, target := range c.Row(v) {
			e := edges[at]
			if e.row != uint32(v) || e.target != target || weighted && e.weight != c.RowWeights(v)[i] {
				t.Fatalf("row %d, edge %d goes to %d; want %+v", v, i, target, e)
			}
			at++
		}
	}
	if at != len(edges) {
		t.Errorf("%d edges of %d", at, len(edges))
	}
	if err := owner.close(); err != nil {
		t.Error(err)
	}
}

func makeRows(t *testing.T, p plan, edges []built) (*CSR, *region) {
	t.Helper()
	b, err := newBuilder(p)
	if err != nil {
		t.Fatal(err)
	}
	for some := range slices.Chunk(edges, 1000) {
		var rows, targets []uint32
		var weights []float64
		for _, e := range some {
			rows, targets, weights = append(rows, e.row), append(targets, e.target), append(weights, e.weight)
		}
		if !p.weighted {
			weights = nil
		}
		if err := b.add(rows, targets, weights); err != nil {
			t.Fatal(err)
		}
	}
	c, owner, err := b.finish()
	if err != nil {
		t.Fatal(err)
	}
	return c, owner
}
