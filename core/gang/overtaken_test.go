package gang

import (
	"testing"

	"pgregory.net/rapid"
)

// TestOvertaken holds the sums against plain ones.
func TestOvertaken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o overtaken
		work, oldest := map[uint64]int64{}, uint64(1)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "add") {
				n := oldest + rapid.Uint64Range(1, 30).Draw(t, "number")
				o.add(oldest, n, 7)
				work[n] += 7
			} else {
				oldest += rapid.Uint64Range(0, 5).Draw(t, "older")
				o.forget(oldest)
			}
			passed := o.each()
			for n := oldest; n < oldest+40; n++ {
				var want int64
				for k, w := range work {
					if k > n {
						want += w
					}
				}
				if got := passed(n); got != want {
					t.Fatalf("%d passed %d, want %d", got, n, want)
				}
			}
		}
	})
}

// TestOvertakenIsBounded: very many arrivals are counted in larger blocks, and
// what is far behind is still counted.
func TestOvertakenIsBounded(t *testing.T) {
	var o overtaken
	o.add(1, 1, 1)
	for n := uint64(2); n < 1<<24; n += 1 << 10 {
		o.add(1, n, 1)
	}
	if len(o.sums) > maxBlocks {
		t.Fatalf("%d blocks", len(o.sums))
	}
	if got, most := o.each()(1), int64(1<<14); got > most || got < most-2 {
		t.Fatalf("%d passed the first, want about %d", got, most)
	}
}
