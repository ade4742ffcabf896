package partition

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestMoveStrings: strings of every length and place, the last of their data
// too, and partitions of nothing but empty ones, lie where the plain code puts
// them.
func TestMoveStrings(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		parts, n := 1+g.IntN(5), g.IntN(60)
		offs, ids := make([]int32, n+1), make([]int32, n)
		offs[0] = g.Int32N(20)
		ends := make([]int, parts)
		for i := range n {
			ids[i] = g.Int32N(int32(parts))
			size := []int32{0, g.Int32N(17), g.Int32N(90), g.Int32N(600)}[g.IntN(4)]
			if ids[i] == 0 && round%2 == 0 {
				size = 0
			}
			offs[i+1] = offs[i] + size
			ends[ids[i]] += int(size)
		}
		data := make([]byte, int(offs[n])+g.IntN(3)*g.IntN(40))
		for i := range data {
			data[i] = byte(g.Uint32())
		}
		got, want := moved(moveStrings, offs, data, ids, ends), moved(moveBinary, offs, data, ids, ends)
		if !slices.Equal(got, want) {
			t.Fatalf("round %d: offsets %v, partitions %v: lie elsewhere", round, offs, ids)
		}
	}
}

// moved is the image of strings by move: slots and bytes of every partition,
// with room behind the bytes that is cleared as a group does.
func moved(move func([]byte, []cursor, []int32, []byte, *rows), offs []int32, data []byte, ids []int32, ends []int) []byte {
	g := Group{parts: len(ends)}
	next, at := make([]cursor, len(ends)), 0
	for p := range next {
		next[p].slot = at
		at += 4 * len(ids)
	}
	for p, n := range ends {
		next[p].data = at
		if n > 0 {
			at += n + slack
		}
	}
	image := make([]byte, at)
	move(image, next, offs, data, g.arrange(ids, 0))
	for p, c := range next {
		if ends[p] > 0 {
			clear(image[c.data : c.data+slack])
		}
		image = append(image, byte(c.slot), byte(c.data), byte(c.end))
	}
	return image
}

// TestAddChecksOffsets: what is later moved without a look is looked at when it
// is counted.
func TestAddChecksOffsets(t *testing.T) {
	for _, offs := range [][]int32{{0, 40, 30}, {0, -1, 3}, {-8, 0, 8}, {0, 8, 33}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("offsets %v over 32 bytes are counted", offs)
				}
			}()
			countBytes(make([]int64, 1), offs, 32, make([]int32, 2))
		}()
	}
}
