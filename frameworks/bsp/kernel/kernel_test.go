package kernel

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/graphtest"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	vertices   = 1 << 7
	iterations = 4
	// stir is one of so many vertices that say something new in an iteration:
	// few enough that the loop sends what has changed.
	stir = 17
)

// said is what a vertex says in an iteration: a whole number, whose sums are
// exact in any order.
func said(id, iteration int) int {
	x := id * 2654435761 >> 7 & 63
	for k := 1; k <= iteration; k++ {
		if id%stir == k {
			x += 3
		}
	}
	return x
}

// naive is what each vertex hears, edge by edge; the second result is whether
// it hears anything.
func naive(s Semiring, from Direction, edges []graphtest.Edge, iteration int) ([vertices]int, [vertices]bool) {
	var sums [vertices]int
	var hears [vertices]bool
	for _, e := range edges {
		speaker, v := int(e.Source), int(e.Target)
		if from == FromTargets {
			speaker, v = v, speaker
		}
		x := said(speaker, iteration)
		switch s {
		case PlusTimes, MaxTimes:
			x *= int(e.Weight)
		case MinPlus:
			x += int(e.Weight)
		}
		switch {
		case !hears[v]:
			sums[v] = x
		case s == PlusFirst || s == PlusTimes:
			sums[v] += x
		case s == MinFirst || s == MinPlus:
			sums[v] = min(sums[v], x)
		case s == MaxFirst || s == MaxTimes:
			sums[v] = max(sums[v], x)
		case s == OrFirst:
			sums[v] |= x
		}
		hears[v] = true
	}
	return sums, hears
}

func file(t *testing.T, edges []graphtest.Edge) input.File {
	t.Helper()
	var text bytes.Buffer
	for _, e := range edges {
		fmt.Fprintln(&text, e.Source, e.Target, e.Weight)
	}
	path := filepath.Join(t.TempDir(), "edges.txt")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return input.File{URL: input.FileURL(path), Size: int64(text.Len())}
}

// check runs a semiring in gangs and compares every sum of every iteration.
func check[C, A Number](t *testing.T, s Semiring, from Direction) {
	edges := graphtest.RMAT(7, 8, 3)
	f := file(t, edges)
	for _, size := range []int{1, 2, 3, 5, 8} {
		var mu sync.Mutex
		heard := make([]map[int]A, iterations)
		for i := range heard {
			heard[i] = map[int]A{}
		}
		peertest.Run(t, size, func() peer.Program {
			return peer.Func(func(ctx context.Context, p *peer.Peer) error {
				return run[C](ctx, p, s, from, func(iteration, id int, sum A) {
					mu.Lock()
					defer mu.Unlock()
					heard[iteration][id] = sum
				})
			})
		}, func(rank int, c *peer.Config) {
			c.Cores = 1 + size%2
			at, end := f.Size*int64(rank)/int64(size), f.Size*int64(rank+1)/int64(size)
			c.Splits = []input.Split{{Ranges: []input.Range{{File: f, Offset: at, Length: end - at}}, Bytes: end - at}}
		})
		present := map[uint32]bool{}
		for _, e := range edges {
			present[e.Source], present[e.Target] = true, true
		}
		for i, got := range heard {
			if len(got) != len(present) {
				t.Fatalf("%d ranks, iteration %d: %d vertices heard, not %d", size, i, len(got), len(present))
			}
			sums, hears := naive(s, from, edges, i)
			for v, sum := range got {
				want := zero[A](s)
				if hears[v] {
					want = A(sums[v])
				}
				if sum != want {
					t.Fatalf("%d ranks, iteration %d: vertex %d heard %v, not %v", size, i, v, sum, want)
				}
			}
		}
	}
}

func run[C, A Number](ctx context.Context, p *peer.Peer, s Semiring, from Direction, hear func(iteration, id int, sum A)) error {
	var part *graph.Partition
	ids := func(v int) int {
		id, err := strconv.Atoi(part.IDs.String(v))
		if err != nil {
			panic(err)
		}
		return id
	}
	l := Loop[C, A]{Kernel: Kernel[C, A]{Sum: s, From: from, Iterations: iterations,
		Prepare: func(step Step, r graph.Range, say []C) float64 {
			for i := range say {
				say[i] = C(said(ids(r.First+i), step.Iteration))
			}
			return 0
		},
		Apply: func(step Step, r graph.Range, sums []A) float64 {
			for i, sum := range sums {
				hear(step.Iteration, ids(r.First+i), sum)
			}
			return 0
		},
	}}
	var err error
	part, err = graph.Load(ctx, p, graph.Config{Directed: true, Weighted: true}, l.Need())
	if err != nil {
		return err
	}
	defer part.Close()
	return l.Run(ctx, p, part)
}

func TestSemirings(t *testing.T) {
	for s, name := range []string{"plus first", "plus times", "min first", "min plus", "max first", "max times"} {
		for _, from := range []Direction{FromSources, FromTargets} {
			t.Run(fmt.Sprintf("%s/%d", name, from), func(t *testing.T) {
				check[float32, float64](t, Semiring(s), from)
				check[int64, int64](t, Semiring(s), from)
			})
		}
	}
	t.Run("or first", func(t *testing.T) { check[uint32, uint64](t, OrFirst, FromSources) })
}
