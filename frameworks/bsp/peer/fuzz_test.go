package peer

import (
	"bytes"
	"slices"
	"testing"
)

// FuzzBatch opens batches that peers may send: each is refused, or all of its
// messages lie within it.
func FuzzBatch(f *testing.F) {
	for _, lengths := range [][]int{{}, {0}, {8, 8, 8}, {1, 0, 300}} {
		var b batch
		for _, n := range lengths {
			b.add(bytes.Repeat([]byte{byte(n)}, n))
		}
		parts := b.parts()
		f.Add(slices.Concat(parts[0], parts[1], parts[2]), len(lengths))
	}
	f.Fuzz(func(t *testing.T, payload []byte, n int) {
		if n < 0 || n > 1<<20 {
			return // a head has no such number
		}
		messages, err := openBatch(payload, n)
		if err != nil {
			return
		}
		count, total := 0, 0
		for m := range messages {
			count, total = count+1, total+len(m)
		}
		if count != n || total > len(payload) {
			t.Errorf("%d messages of %d bytes in all from %d bytes that hold %d", count, total, len(payload), n)
		}
	})
}

// FuzzRecord decodes records that peers may send, whose schema is ours.
func FuzzRecord(f *testing.F) {
	f.Add([]byte{}, uint8(0))
	f.Fuzz(func(t *testing.T, numbers []byte, _ uint8) {
		batch, rest, err := parseBatch(numbers)
		if err == nil && 24+16*(len(batch.Lengths)+len(batch.Buffers))+len(rest) != len(numbers) {
			t.Errorf("%d arrays and %d buffers from %d bytes, of which %d are left", len(batch.Lengths), len(batch.Buffers), len(numbers), len(rest))
		}
	})
}

// FuzzWord parses what ranks say at a barrier, and its pairs.
func FuzzWord(f *testing.F) {
	w := word{intent: toSync, step: 3, counts: make([]int64, 2), rest: appendPiece(appendPiece(nil, "name"), []byte{1})}
	f.Add(w.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var w word
		if w.parse(b, 2) != nil {
			return
		}
		if len(w.rest) > len(b) {
			t.Error("a word has more than its bytes")
		}
		_ = pairs(w.rest, func(name string, value []byte) error {
			if len(name)+len(value) > len(w.rest) {
				t.Error("a pair has more than its bytes")
			}
			return nil
		})
	})
}
