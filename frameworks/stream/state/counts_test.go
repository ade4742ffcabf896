package state_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/state"
)

// Counts that were cut into any number of ranges and joined again are the same.
func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const groups = 16
		whole := state.Range{End: groups, Groups: groups}
		counts := state.NewCounts(whole)
		for _, key := range rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 0, 3)).Draw(t, "keys") {
			counts.Add(len(key)*5%groups, key)
		}
		cut := rapid.IntRange(0, groups).Draw(t, "cut")
		again := state.NewCounts(whole)
		for _, own := range []state.Range{{First: 0, End: cut, Groups: groups}, {First: cut, End: groups, Groups: groups}} {
			part := state.NewCounts(own)
			if err := part.Restore(counts.Snapshot()); err != nil {
				t.Fatal(err)
			}
			if err := again.Restore(part.Snapshot()); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(counts.Snapshot(), again.Snapshot()) {
			t.Error("something was lost, or came in")
		}
	})
}

func TestDamaged(t *testing.T) {
	own := state.Range{End: 4, Groups: 4}
	counts := state.NewCounts(own)
	counts.Add(1, []byte("a"))
	counts.Add(3, []byte("b"))
	good := counts.Snapshot()
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x41
		if state.NewCounts(own).Restore(bad) == nil {
			t.Errorf("byte %d was changed, and nobody noticed", i)
		}
		if state.NewCounts(own).Restore(good[:i]) == nil {
			t.Errorf("cut off at %d, and nobody noticed", i)
		}
	}
	if err := state.NewCounts(state.Range{End: 8, Groups: 8}).Restore(good); core.KindOf(err) != core.Conflict {
		t.Errorf("another number of groups: %v", err)
	}
}

func FuzzRestore(f *testing.F) {
	own := state.Range{End: 4, Groups: 4}
	counts := state.NewCounts(own)
	counts.Add(1, []byte("a"))
	f.Add(counts.Snapshot())
	f.Fuzz(func(t *testing.T, b []byte) {
		c := state.NewCounts(own)
		if c.Restore(b) == nil && c.Restore(c.Snapshot()) != nil {
			t.Error("what was restored cannot be restored again")
		}
	})
}
