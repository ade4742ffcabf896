package algorithm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
)

// exact are the algorithms whose lines are those of a reference, to the byte.
func exact() map[string]struct {
	use  string
	with map[string]any
	rows func(s sketch) []peertest.Row
} {
	type entry = struct {
		use  string
		with map[string]any
		rows func(s sketch) []peertest.Row
	}
	values := func(r plain) func(sketch) []peertest.Row {
		return func(s sketch) []peertest.Row { return rowsOf(s, r(s)) }
	}
	small := func(v int) uint32 { return uint32(v) }
	return map[string]entry{
		"cdlp 0":    {"cdlp", map[string]any{"iterations": 0}, values(plainLabels(0))},
		"cdlp 1":    {"cdlp", map[string]any{"iterations": 1}, values(plainLabels(1))},
		"cdlp 10":   {"cdlp", nil, values(plainLabels(10))},
		"lcc":       {"lcc", nil, values(plainClustering)},
		"triangles": {"triangles", nil, values(plainTriangles)},
		"kcore":     {"kcore", nil, values(plainCores)},
		"scc":       {"scc", nil, values(plainComponents)},
		"matching":  {"matching", map[string]any{"seed": 3}, values(plainMatching(3, small))},
		"mst":       {"mst", nil, plainForest},
	}
}

// skipped tells whether a case has no reference: how places follow from ids that
// are no small numbers is the graph's own affair.
func skipped(use, sketch string) bool {
	return use == "matching" && sketch != "random small" && sketch != "weighted small" &&
		(len(sketch) > 6 && (sketch[:6] == "random" || sketch[:8] == "weighted"))
}

func TestSketchesAsTheReferences(t *testing.T) {
	for name, s := range sketches() {
		for label, algorithm := range exact() {
			if skipped(algorithm.use, name) {
				continue
			}
			want := algorithm.rows(s)
			for i, size := range sizes {
				if s.n < 40 && i != (len(name)+len(label))%len(sizes) {
					continue // shapes take turns
				}
				tr := trial{size: size, partition: partitions[(i+len(name))%len(partitions)]}
				t.Run(fmt.Sprintf("%s/%s/%d %s", name, label, size, tr.partition), func(t *testing.T) {
					t.Parallel()
					got := s.run(t, algorithm.use, algorithm.with, tr)
					if d := cmp.Diff(want, got.rows, cmpopts.EquateEmpty()); d != "" {
						t.Errorf("-reference +gang\n%s", d)
					}
				})
			}
		}
	}
}

func TestRandomGraphsAsTheReferences(t *testing.T) {
	for label, algorithm := range exact() {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
				n := rapid.IntRange(1, 40).Draw(rt, "vertices")
				s := randomSketch(r, n, rapid.IntRange(0, 5*n).Draw(rt, "edges"), rapid.Bool().Draw(rt, "directed"))
				s.weighted = rapid.Bool().Draw(rt, "weighted")
				tr := trial{size: rapid.IntRange(1, 4).Draw(rt, "size"), partition: rapid.SampledFrom(partitions).Draw(rt, "partition")}
				got := s.run(t, algorithm.use, algorithm.with, tr)
				if d := cmp.Diff(algorithm.rows(s), got.rows, cmpopts.EquateEmpty()); d != "" {
					rt.Fatalf("-reference +gang\n%s", d)
				}
			})
		})
	}
}
