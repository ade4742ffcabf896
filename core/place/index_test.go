package place

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestIndex holds the index against looking at every node, through changes.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		anyRoom := rapid.SampledFrom([]int32{0, 0, 1, 2, 3, 61, 62, 63, 64, 65, 200, unlimited})
		rooms := rapid.SliceOfN(anyRoom, 1, 150).Draw(t, "rooms")
		rooms = append(make([]int32, rapid.SampledFrom([]int{0, 60, 4090, 8200}).Draw(t, "empty")), rooms...)
		var only bitset
		if rapid.Bool().Draw(t, "some") {
			only = make(bitset, (len(rooms)+63)/64)
			for i := range rooms {
				if i%3 == 0 {
					only.set(i)
				}
			}
		}
		x := newIndex(rooms, only)
		for range rapid.IntRange(0, 10).Draw(t, "changes") {
			i := rapid.IntRange(0, len(rooms)-1).Draw(t, "node")
			rooms[i] = anyRoom.Draw(t, "room")
			x.touch(i)
		}
		x.tidy(rooms)
		for _, n := range []int32{1, 2, 3, 4, 62, 63, 64, 66, 201, unlimited} {
			want := -1
			for i, room := range rooms {
				if room >= n && (only == nil || only.has(i)) && (want < 0 || room < rooms[want]) {
					want = i
				}
			}
			if got := x.tightest(rooms, int64(n)); got != want {
				t.Fatalf("%d ranks: node %d, want %d", n, got, want)
			}
		}
	})
}

// TestRoomiest holds the order in which nodes are spread over against sorting.
func TestRoomiest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rooms := rapid.SliceOfN(rapid.SampledFrom([]int32{0, 1, 2, 2047, 2048, 5000, unlimited}), 0, 50).Draw(t, "rooms")
		images := make(bitset, 1+len(rooms)/64)
		for i := 0; i < len(rooms); i += 3 {
			images.set(i)
		}
		var want []int32
		for i, n := range rooms {
			if n > 0 {
				want = append(want, int32(i))
			}
		}
		slices.SortStableFunc(want, func(a, b int32) int {
			if rooms[a] != rooms[b] {
				return int(rooms[b] - rooms[a])
			}
			return bit(b%3 == 0) - bit(a%3 == 0)
		})
		var w scratch
		if got := w.roomiest(rooms, images, 0); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}
