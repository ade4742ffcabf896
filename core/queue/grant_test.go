package queue

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestGrantIsRemoveAndCharge: a gang that is granted without a walk leaves what
// taking it out and charging it leaves, also in the middle of a walk.
func TestGrantIsRemoveAndCharge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			w.step(t, w.decide(t))
		}
		c, ok := w.anyPending(t)
		if !ok {
			if w.t.Grant(1) {
				t.Fatal("granted what does not wait")
			}
			return
		}
		other := w.t.Clone()
		walk := w.t.Walk(w.now)
		other.Advance(w.now)
		for range rapid.IntRange(0, 5).Draw(t, "passed") {
			if _, ok := walk.Next(); ok && rapid.Bool().Draw(t, "pass") {
				walk.Pass()
			}
		}
		w.t.Grant(c.ID)
		walk.End()
		other.Remove(c.ID)
		if one := c; !c.Repair {
			one.Count = 1
			_ = other.Charge(one)
		}
		if c.Count--; c.Count > 0 {
			if err := other.Add(c); err != nil {
				t.Fatal(err)
			}
		}
		for _, tree := range []*Tree{w.t, other} {
			if err := audit(tree); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := w.t.Shares(), other.Shares(); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
		if got, want := told(w.t, w.now), told(other, w.now); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

// told is what waits, in order.
func told(t *Tree, now int64) (ids []uint64) {
	t.Each(now, func(id uint64) bool { ids = append(ids, id); return true })
	return ids
}
