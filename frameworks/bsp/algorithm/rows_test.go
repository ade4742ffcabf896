package algorithm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// pointLines are points around five centers that lie far apart.
func pointLines(n int) string {
	r := rand.New(rand.NewPCG(7, 8))
	var b strings.Builder
	for i := range n {
		c := i % 5
		fmt.Fprintf(&b, "%v,%v,%v\n", float64(100*c)+r.NormFloat64(), float64(100*(c%2))+r.NormFloat64(), float64(-50*c)+r.NormFloat64())
	}
	return b.String()
}

// entry is an entry of a matrix of the tests: small whole numbers, so that
// products are exact in any order.
func entry(seed, row, column int) float64 {
	return float64(mix(uint64(seed)<<40|uint64(row)<<20|uint64(column))%17) - 8
}

// matrixLines are A, of rows x inner, and B, of inner x columns.
func matrixLines(rows, inner, columns int) string {
	var b strings.Builder
	matrix := func(name string, seed, rows, columns int) {
		for i := range rows {
			fmt.Fprintf(&b, "%s %d", name, i)
			for j := range columns {
				fmt.Fprintf(&b, " %v", entry(seed, i, j))
			}
			b.WriteByte('\n')
		}
	}
	matrix("A", 1, rows, inner)
	matrix("B", 2, inner, columns)
	return b.String()
}

func TestMatricesAreMultiplied(t *testing.T) {
	for _, shape := range []shape{{1, 1, 1}, {3, 5, 2}, {20, 700, 9}, {65, 33, 130}, {2, 1, 300}} {
		for i, size := range append(sizes, 4, 6) {
			t.Run(fmt.Sprintf("%v on %d", shape, size), func(t *testing.T) {
				t.Parallel()
				lines := matrixLines(shape.rows, shape.inner, shape.columns)
				got := runTrial(t, "matmul", Setup{}, splitsOf(t, lines, 1+i), input.Options{}, trial{size: size})
				checkProduct(t, shape, got.rows)
			})
		}
	}
}

func checkProduct(t *testing.T, shape shape, rows []peertest.Row) {
	t.Helper()
	seen := 0
	for _, row := range rows {
		var i, from int
		if _, err := fmt.Sscan(row.Key, &i, &from); err != nil {
			t.Fatal(err)
		}
		for j, field := range strings.Fields(row.Value) {
			want := 0.0
			for k := range shape.inner {
				want += entry(1, i, k) * entry(2, k, from+j)
			}
			if got, err := strconv.ParseFloat(field, 64); err != nil || got != want {
				t.Fatalf("entry %d,%d is %v, not %v", i, from+j, field, want)
			}
			seen++
		}
	}
	if seen != shape.rows*shape.columns {
		t.Errorf("%d entries of %d x %d", seen, shape.rows, shape.columns)
	}
}

func TestClustersAreFound(t *testing.T) {
	want := map[int]int{}
	for c := range 5 {
		want[c] = 60
	}
	for _, size := range sizes {
		for _, memory := range []int64{0, 4 << 20} {
			t.Run(fmt.Sprintf("%d ranks, %d bytes", size, memory), func(t *testing.T) {
				t.Parallel()
				splits := splitsOf(t, pointLines(300), 7)
				with := map[string]any{"k": 5}
				got := runTrial(t, "kmeans", Setup{With: with}, splits, input.Options{}, trial{size: size, memory: memory})
				if len(got.rows) != 5 || got.counters["points"] != 300 {
					t.Fatalf("%d centers of %d points", len(got.rows), got.counters["points"])
				}
				found := map[int]bool{}
				for _, row := range got.rows {
					x := strings.Fields(row.Value)
					at, err := strconv.ParseFloat(x[0], 64)
					if c := math.Round(at / 100); err != nil || math.Abs(at-100*c) > 1 {
						t.Errorf("a center at %v", x)
					} else {
						found[int(c)] = true
					}
				}
				if len(found) != 5 {
					t.Errorf("centers %v", got.rows)
				}
				with["result"] = "assignments"
				of := map[string]int{}
				for _, row := range runTrial(t, "kmeans", Setup{With: with}, splits, input.Options{}, trial{size: size}).rows {
					of[row.Value]++
				}
				for c := range 5 {
					if of[fmt.Sprint(c)] != want[c] {
						t.Errorf("cluster %d has %d points", c, of[fmt.Sprint(c)])
					}
				}
			})
		}
	}
}
