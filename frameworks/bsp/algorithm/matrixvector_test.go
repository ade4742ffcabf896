package algorithm

import (
	"fmt"
	"math"
	"strconv"
	"testing"
)

func TestProductsAsTheReference(t *testing.T) {
	for name, s := range sketches() {
		for i, size := range sizes {
			for _, transpose := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/%v", name, size, transpose), func(t *testing.T) {
					t.Parallel()
					want := map[string]float64{}
					for v, x := range plainProduct(s, 3, transpose) {
						want[s.name(v)] = x
					}
					got := s.run(t, "matvec", map[string]any{"iterations": 3, "transpose": transpose},
						trial{size: size, partition: partitions[i%3]})
					if len(got.rows) != s.n {
						t.Fatalf("%d lines for %d vertices", len(got.rows), s.n)
					}
					for _, row := range got.rows {
						// Whole numbers: sums are exact in any order.
						if x, err := strconv.ParseFloat(row.Value, 64); err != nil || x != want[row.Key] {
							t.Errorf("%s: %s, not %v", row.Key, row.Value, want[row.Key])
						}
					}
				})
			}
		}
	}
}

// TestPowerIteration finds the eigenvector of a clique's largest eigenvalue: all
// entries are alike.
func TestPowerIteration(t *testing.T) {
	s := sketches()["clique"]
	got := s.run(t, "matvec", map[string]any{"iterations": 200, "normalize": true, "tolerance": 1e-12, "seed": 5}, trial{size: 3})
	n := 0
	for _, row := range got.rows {
		x, err := strconv.ParseFloat(row.Value, 64)
		if err != nil {
			t.Fatal(err)
		}
		if row.Key == "12" {
			continue // joined with nobody
		}
		if math.Abs(x-1/math.Sqrt(12)) > 1e-9 {
			t.Errorf("%s: %v", row.Key, x)
		}
		n++
	}
	if n != 12 || got.supersteps > 200 {
		t.Errorf("%d entries, after %d supersteps", n, got.supersteps)
	}
}
