package genetic

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// result is the rows of all ranks, by island.
func result(t *testing.T, r *peertest.Result) []string {
	t.Helper()
	var rows []string
	for _, rank := range r.Rows {
		for _, row := range rank {
			rows = append(rows, row.Value)
		}
	}
	slices.Sort(rows)
	return rows
}

func minimise(t *testing.T, name string, dimensions int, tolerance float64, c Config) func() peer.Program {
	return func() peer.Program {
		p, err := Minimise(name, dimensions, tolerance, c)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

func TestOptimumIsFound(t *testing.T) {
	for _, f := range Functions() {
		t.Run(f.Name, func(t *testing.T) {
			tolerance := 1e-3
			switch f.Name {
			case "griewank":
				tolerance = 0.1
			case "rosenbrock":
				tolerance = 1 // its valley is flat
			}
			c := Config{Generations: 3000, Seed: 1, Target: new(f.Optimum + tolerance/2)}
			peertest.Run(t, 2, minimise(t, f.Name, 6, tolerance, c))
		})
	}
}

func TestMissIsTold(t *testing.T) {
	_, err := peertest.Gang{Size: 2, Program: minimise(t, "rastrigin", 20, 1e-9, Config{Generations: 3})}.Try(t)
	if err == nil || !strings.Contains(err.Error(), "and 0 is known") {
		t.Fatal(err)
	}
}

// TestSizes: law G1.
func TestSizes(t *testing.T) {
	for _, topology := range []string{Ring, All, Random} {
		c := Config{Islands: 7, Population: 30, Generations: 50, Migration: Migration{Every: 7, Topology: topology}, Seed: 5}
		var want []string
		for _, size := range []int{1, 2, 3, 5, 8} {
			got := result(t, peertest.Run(t, size, minimise(t, "ackley", 5, 0, c), func(_ int, c *peer.Config) { c.Cores = 1 + size%2 }))
			if want == nil {
				want = got
			}
			if len(got) != 7 || !slices.Equal(got, want) {
				t.Errorf("%s: %d ranks:\n%s\none rank:\n%s", topology, size, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}

func TestKills(t *testing.T) {
	c := Config{Islands: 5, Population: 20, Generations: 120, Migration: Migration{Every: 10}, Seed: 9}
	want := result(t, peertest.Run(t, 3, minimise(t, "rastrigin", 4, 0, c)))
	died := 0
	for _, phase := range peertest.Phases {
		for _, step := range []int64{1, 5, 8} {
			r := peertest.Gang{Size: 3, Every: 2, Program: minimise(t, "rastrigin", 4, 0, c),
				Kills: []peertest.Kill{{Rank: 1, Superstep: step, Phase: phase}}}.Run(t)
			died += r.Incarnations - 1
			if got := result(t, r); !slices.Equal(got, want) {
				t.Errorf("killed at %v of superstep %d, %d incarnations:\n%s\nundisturbed:\n%s", phase, step, r.Incarnations, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
	// A checkpoint may be passed over while the last one is written, and who was
	// to die then lives.
	if died < 6 {
		t.Errorf("only %d of 12 died", died)
	}
}

// ones is a problem of the user's own: as many ones as possible.
type ones struct{ n int }

func (o ones) New(r *rand.Rand) []byte {
	b := make([]byte, o.n)
	for i := range b {
		b[i] = byte(r.IntN(2))
	}
	return b
}

func (o ones) Cost(b []byte) float64 {
	zeros := 0
	for _, x := range b {
		zeros += 1 - int(x)
	}
	return float64(zeros)
}

func (o ones) Cross(r *rand.Rand, a, b []byte) ([]byte, []byte) {
	at := r.IntN(o.n)
	return append(slices.Clone(a[:at]), b[at:]...), append(slices.Clone(b[:at]), a[at:]...)
}

func (o ones) Mutate(r *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	b[r.IntN(o.n)] ^= 1
	return b
}

func (o ones) Codec() peer.Codec[[]byte] { return peer.JSON[[]byte]() }

func TestOwnProblem(t *testing.T) {
	p := func() peer.Program {
		k, err := New(ones{40}, Config{Islands: 4, Population: 40, Generations: 400, Target: new(0.0), Patience: 300})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	best := math.Inf(1)
	for _, rank := range peertest.Run(t, 3, p).Rows {
		for _, row := range rank {
			var v struct{ Cost float64 }
			if err := json.Unmarshal([]byte(row.Value), &v); err != nil {
				t.Fatal(err)
			}
			best = min(best, v.Cost)
		}
	}
	if best != 0 {
		t.Errorf("%v zeros are left", best)
	}
}

// TestEliteStays: law G2.
func TestEliteStays(t *testing.T) {
	c := Config{Population: 20}
	c.Defaults()
	p := Real{3, -5.12, 5.12, rastrigin}
	s := newIsland[[]float64](p, &c, 0)
	for range 200 {
		was := s.people[0].cost
		s.evolve(p, &c, 1)
		if s.people[0].cost > was {
			t.Fatalf("%v after %v", s.people[0].cost, was)
		}
	}
}

func TestOptima(t *testing.T) {
	for _, f := range Functions() {
		x := slices.Repeat([]float64{f.At}, 7)
		if got := f.Value(x); math.Abs(got-f.Optimum) > 1e-4 {
			t.Errorf("%s has %v where %v is known", f.Name, got, f.Optimum)
		}
		for i := range x {
			x[i] += 0.01
		}
		if f.Value(x) <= f.Optimum {
			t.Errorf("%s is no higher beside its optimum", f.Name)
		}
	}
}

func TestFaults(t *testing.T) {
	bad := Config{Islands: -1, Population: 1, Elite: 9, Crossover: new(1.5), Migration: Migration{Every: -1, Count: 99, Topology: "star"}, Patience: -1}
	_, err := New(ones{4}, bad)
	text := fmt.Sprintf("%+v", err)
	if err == nil {
		t.Fatal("taken")
	}
	doc, _ := json.Marshal(bad.Validate())
	for _, path := range []string{"islands", "population", "elite", "crossover", "migration.every", "migration.count", "migration.topology", "patience"} {
		if !strings.Contains(string(doc), `"`+path+`"`) {
			t.Errorf("%s is not among the faults: %s %s", path, doc, text)
		}
	}
	if _, err := Minimise("nope", 3, 0, Config{}); err == nil || !strings.Contains(err.Error(), "rastrigin") && !strings.Contains(fmt.Sprint(err), "nope") {
		t.Error(err)
	}
}
