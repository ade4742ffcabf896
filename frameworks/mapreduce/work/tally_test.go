package work

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// keys is what a folded tally holds. A key in a wrong partition, or twice, fails.
func keys(t interface{ Fatalf(string, ...any) }, y *Tally) map[string]int64 {
	got := map[string]int64{}
	var buf [inlineKey]byte
	for p := range y.part.parts {
		for _, b := range y.of(p) {
			for i := range b.pending {
				key := string(b.key(&b.pending[i], &buf))
				if q := y.part.Of([]byte(key)); q != p {
					t.Fatalf("key %q of partition %d lies in %d", key, q, p)
				}
				if _, ok := got[key]; ok {
					t.Fatalf("key %q twice", key)
				}
				got[key] = b.pending[i].acc
			}
		}
	}
	return got
}

// TestTallyIsAMap does what comes in any order, between folds, compactions and
// resets, and compares with a map.
func TestTallyIsAMap(t *testing.T) {
	words := rapid.StringMatching(`[a-d]{0,3}|[a-b]{15,18}|[ab]{30}|\x00{1,3}|[a-h]{4}`)
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SampledFrom([]int{1, 3, 4, 256, 300}).Draw(t, "parts")
		fold := rapid.SampledFrom([]Fold{FoldSum, FoldMin, FoldMax}).Draw(t, "fold")
		budget := rapid.SampledFrom([]int{1 << 10, 1 << 30}).Draw(t, "budget")
		y := NewTally(fold, &Partitioner{parts: parts}, budget)
		want := map[string]int64{}
		add := func(key string, v int64) {
			old, ok := want[key]
			switch {
			case !ok:
			case fold == FoldSum:
				v += old
			case fold == FoldMin:
				v = min(v, old)
			case fold == FoldMax:
				v = max(v, old)
			}
			want[key] = v
		}
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			switch step := rapid.IntRange(0, 5).Draw(t, "step"); step {
			case 0:
				y.Fold()
			case 1:
				for b := range y.buckets {
					k := &y.buckets[b]
					k.text = y.live(uint32(b), nil)
				}
			case 2:
				y.Reset()
				clear(want)
			case 3:
				text := strings.Join(rapid.SliceOfN(words, 0, 400).Draw(t, "text"), " ")
				tok := &tokenizer{}
				for at := 0; at < len(text); {
					var spans []span
					spans, at = tok.next([]byte(text), at)
					y.countSpans([]byte(text), spans)
				}
				for _, w := range strings.Fields(text) {
					add(w, 1)
				}
			default:
				for _, w := range rapid.SliceOfN(words, 0, 300).Draw(t, "keys") {
					v := rapid.Int64Range(-9, 9).Draw(t, "v")
					if step == 4 {
						y.Add([]byte(w), v)
					} else {
						y.put([]byte(w), v)
					}
					add(w, v)
				}
			}
		}
		if y.empty() != (len(want) == 0) {
			t.Fatalf("empty is %v with %d keys", y.empty(), len(want))
		}
		y.Fold()
		if got := keys(t, y); !maps.Equal(got, want) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
		y.partition(&Partitioner{parts: 2})
	})
}

// TestTallyOfManyKeys has buckets grow and slots double.
func TestTallyOfManyKeys(t *testing.T) {
	const n = 60000
	y := NewTally(FoldSum, &Partitioner{parts: 1, first: true}, 1<<30)
	y.sub, y.buckets = 0, make([]bucket, 1) // all in one bucket
	for round := range 12 {
		for i := range n {
			y.Add(fmt.Appendf(nil, "%dkey", i), int64(i))
			y.Add(fmt.Appendf(nil, "a long key of number %d", i), 1)
		}
		if most := 2 * n * (4*entryBytes + 2*30); y.held > most {
			t.Fatalf("after round %d %d keys hold %d bytes, more than %d", round, 2*n, y.held, most)
		}
	}
	y.Fold()
	got := keys(t, y)
	if len(got) != 2*n {
		t.Fatalf("%d keys, want %d", len(got), 2*n)
	}
	for i := range n {
		if got[fmt.Sprintf("%dkey", i)] != int64(12*i) || got[fmt.Sprintf("a long key of number %d", i)] != 12 {
			t.Fatalf("key %d has a wrong sum", i)
		}
	}
}

func TestTallyOverflow(t *testing.T) {
	y := NewTally(FoldSum, &Partitioner{parts: 1}, 1<<30)
	y.Add([]byte("k"), math.MaxInt64)
	if y.Fold(); y.Overflow() {
		t.Fatal("overflow of one value")
	}
	y.put([]byte("k"), 1)
	if y.Fold(); !y.Overflow() {
		t.Fatal("no overflow in a bucket")
	}
	if y.Reset(); y.Overflow() {
		t.Fatal("overflow after Reset")
	}
	y.Add([]byte("k"), math.MinInt64)
	if y.Add([]byte("k"), -1); !y.Overflow() {
		t.Fatal("no overflow in the front")
	}
}
