package algorithm

import (
	"math"
	"strconv"
	"testing"

	"github.com/capstan-run/capstan/frameworks/bsp/algorithm/reference"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
)

// TestTrianglesInRounds has more neighbours than fit the memory at once, and
// more vertices than hubs.
func TestTrianglesInRounds(t *testing.T) {
	const scale = 14
	edges := kronecker(scale)
	want := reference.Clustering(kroneckerGraph(scale, edges))
	splits := edgeSplits(t, edges)
	got := peertest.Run(t, 2, func() peer.Program {
		program, err := New("lcc", Setup{})
		if err != nil {
			t.Fatal(err)
		}
		return program
	}, func(rank int, c *peer.Config) {
		c.Cores, c.Memory = 2, 4<<20
		for i := rank; i < len(splits); i += 2 {
			c.Splits = append(c.Splits, splits[i])
		}
	})
	counting := got.Programs[0].(*clustering).counting
	if len(counting.rounds) < 2 || counting.hubs.n >= 1<<scale {
		t.Fatalf("%d rounds, %d hubs", len(counting.rounds), counting.hubs.n)
	}
	seen := 0
	for _, rows := range got.Rows {
		for _, row := range rows {
			v, err := strconv.Atoi(row.Key)
			if err != nil {
				t.Fatal(err)
			}
			if x, err := strconv.ParseFloat(row.Value, 64); err != nil || math.Abs(x-want[v]) > 1e-12 {
				t.Fatalf("vertex %d: %s, not %v", v, row.Value, want[v])
			}
			seen++
		}
	}
	if seen < 1<<scale/2 {
		t.Errorf("%d vertices", seen)
	}
}
