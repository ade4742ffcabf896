package executor

import (
	"testing"

	"pgregory.net/rapid"
)

// TestOutbox compares with the obvious model: a receiver that takes what comes
// in order, over a link that breaks anywhere.
func TestOutbox(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o outbox[int]
		pushed, got := 0, 0 // items are numbered from 1
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				pushed++
				o.push(pushed, rapid.IntRange(1, 50).Draw(t, "size"))
			},
			"take": func(t *rapid.T) {
				item, seq, ok := o.take(100)
				if !ok {
					if o.next < o.len() && o.sent == 0 {
						t.Fatal("something waits, nothing is under way, and nothing comes")
					}
					return
				}
				if uint64(item) != seq {
					t.Fatalf("item %d has number %d", item, seq)
				}
				if rapid.Bool().Draw(t, "arrives") && item == got+1 {
					got = item
				}
			},
			"ack":    func(t *rapid.T) { o.ack(uint64(rapid.IntRange(0, got).Draw(t, "seq"))) },
			"bogus":  func(t *rapid.T) { o.ack(uint64(pushed + 1 + rapid.IntRange(0, 9).Draw(t, "seq"))) },
			"rewind": func(t *rapid.T) { o.rewind() },
			"": func(t *rapid.T) {
				if o.sent > 150 {
					t.Fatalf("%d bytes are under way", o.sent)
				}
				if o.len() > 0 && (o.items[0] > got+1 || o.items[o.len()-1] != pushed) {
					t.Fatalf("an item was lost: holds %v, pushed %d, arrived %d", o.items, pushed, got)
				}
				bytes := 0
				for _, n := range o.sizes {
					bytes += n
				}
				if bytes != o.bytes {
					t.Fatalf("counts %d bytes, holds %d", o.bytes, bytes)
				}
			},
		})
	})
}

func TestOutboxRestart(t *testing.T) {
	var o outbox[int]
	for i := range 5 {
		o.push(i, 10)
	}
	o.take(100)
	o.take(100)
	o.ack(1)
	o.restart(func(i int) bool { return i%2 == 0 })
	item, seq, ok := o.take(100)
	if item != 2 || seq != 1 || !ok || o.bytes != 20 {
		t.Errorf("restarts with item %d as number %d, %d bytes", item, seq, o.bytes)
	}
}
