package block

import (
	"math/rand/v2"
	"testing"
)

// TestFoldStrings: values of every length and place, the last ones of their
// data too, have the hashes that the plain code gives them.
func TestFoldStrings(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := g.IntN(40)
		offs := make([]int32, n+1)
		offs[0] = g.Int32N(20)
		for i := range n {
			offs[i+1] = offs[i] + []int32{0, g.Int32N(17), g.Int32N(90), g.Int32N(600)}[g.IntN(4)]
		}
		data := make([]byte, int(offs[n])+g.IntN(3)*g.IntN(20))
		for i := range data {
			data[i] = byte(g.Uint32())
		}
		got, want := make([]uint64, n), make([]uint64, n)
		for i := range got {
			got[i] = g.Uint64()
			want[i] = got[i]
		}
		foldStrings(got, offs, data)
		foldBinary(want, offs, data)
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("value %d of %v, %d bytes: %#x, want %#x", i, offs, len(data), got[i], want[i])
			}
		}
	}
}

// TestFoldStringsChecksOffsets: what does not lie in the data is not read.
func TestFoldStringsChecksOffsets(t *testing.T) {
	for _, offs := range [][]int32{{0, 40, 30}, {0, -1, 3}, {-8, 0, 8}, {0, 8, 33}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("offsets %v over 32 bytes are hashed", offs)
				}
			}()
			foldStrings(make([]uint64, 2), offs, make([]byte, 32))
		}()
	}
}
