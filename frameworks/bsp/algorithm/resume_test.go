package algorithm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// job is an algorithm with something to work on.
type job struct {
	use  string
	with map[string]any
	run  func(t testing.TB, j job, tr trial) outcome
}

// jobs are all algorithms of this file's neighbours, on inputs that keep them
// busy for some supersteps.
func jobs() []job {
	r := rand.New(rand.NewPCG(5, 6))
	random := randomSketch(r, 120, 500, true)
	random.weighted = true
	chain := sketches()["path"]
	knots := sketch{directed: true, n: 64, name: namings["texts"]}
	for v := range 63 {
		knots.edges = append(knots.edges, sketchEdge{v, v + 1, 1})
		if v%3 != 0 {
			knots.edges = append(knots.edges, sketchEdge{v + 1, v, 1})
		}
	}
	on := func(s sketch) func(testing.TB, job, trial) outcome {
		return func(t testing.TB, j job, tr trial) outcome { return s.run(t, j.use, j.with, tr) }
	}
	onRows := func(text string) func(testing.TB, job, trial) outcome {
		return func(t testing.TB, j job, tr trial) outcome {
			return runTrial(t, j.use, Setup{With: j.with}, splitsOf(t, text, 7), input.Options{}, tr)
		}
	}
	return []job{
		{"cdlp", map[string]any{"iterations": 8}, on(random)},
		{"lcc", nil, on(random)},
		{"triangles", nil, on(random)},
		{"kcore", nil, on(chain)},
		{"scc", nil, on(knots)},
		{"matching", nil, on(chain)},
		{"mst", nil, on(random)},
		{"matvec", map[string]any{"iterations": 6, "normalize": true}, on(random)},
		{"randomwalk", map[string]any{"length": 12, "walks": 2}, on(random)},
		{"randomwalk", map[string]any{"length": 12, "result": "visits"}, on(random)},
		{"kmeans", map[string]any{"k": 5, "tolerance": 0}, onRows(pointLines(300))},
		{"matmul", nil, onRows(matrixLines(20, 700, 9))},
	}
}

// TestResumeWithTheSameBits kills ranks in every phase and expects the lines of
// an undisturbed gang, bit by bit, floating point numbers too.
func TestResumeWithTheSameBits(t *testing.T) {
	for _, j := range jobs() {
		t.Run(fmt.Sprintf("%s %v", j.use, j.with), func(t *testing.T) {
			t.Parallel()
			want := j.run(t, j, trial{size: 3})
			last := want.supersteps - 2
			struck := map[peertest.Phase]int{}
			for i, phase := range peertest.Phases {
				for _, at := range []int64{1, last / 2, last - 1, last} {
					rank := int(at+int64(i)) % 3
					got := j.run(t, j, trial{size: 3, every: 1, kills: []peertest.Kill{{Rank: rank, Superstep: at, Phase: phase}}})
					struck[phase] += got.runs - 1
					if d := cmp.Diff(want.rows, got.rows); d != "" {
						t.Fatalf("rank %d killed in superstep %d of %d, %v: -undisturbed +resumed\n%s", rank, at, last, phase, d)
					}
					if d := cmp.Diff(want.counters, got.counters); d != "" {
						t.Errorf("counters: -undisturbed +resumed\n%s", d)
					}
				}
				// While checkpoints are held none is written, and nobody dies of it; the
				// last ones may still be on their way when the program ends.
				if struck[phase] == 0 && (phase == peertest.AtStart || phase == peertest.Midway) {
					t.Errorf("nobody was killed in the phase %v", phase)
				}
			}
		})
	}
}

// TestBeginAgain kills a rank of a gang that has no checkpoints: those that are
// left must forget what they know.
func TestBeginAgain(t *testing.T) {
	for _, j := range jobs() {
		t.Run(fmt.Sprintf("%s %v", j.use, j.with), func(t *testing.T) {
			t.Parallel()
			want := j.run(t, j, trial{size: 2})
			got := j.run(t, j, trial{size: 2, kills: []peertest.Kill{{Rank: 1, Superstep: want.supersteps - 2}}})
			if got.runs != 2 {
				t.Fatalf("%d runs", got.runs)
			}
			if d := cmp.Diff(want.rows, got.rows); d != "" {
				t.Errorf("-undisturbed +begun again\n%s", d)
			}
		})
	}
}
