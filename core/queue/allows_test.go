package queue

import (
	"testing"

	"github.com/capstan-run/capstan/core"
)

// TestAllows: it says what Admits says, as a queue fills, and that a queue which is
// not there takes nothing.
func TestAllows(t *testing.T) {
	tree, err := New(Config{Queues: []Queue{
		{Name: "a", Quota: Amounts{"cpu": 3000}, Borrow: Amounts{"cpu": 1000}}, {Name: "b", Quota: Amounts{"cpu": 2000}, MaxPerUser: 2}, {Name: "c"},
	}}, new(core.Dimensions))
	if err != nil {
		t.Fatal(err)
	}
	yes, no := 0, 0
	for i := range 12 {
		for _, name := range []string{"a", "b", "c", "nowhere"} {
			c := Claim{ID: uint64(i), Queue: name, User: "u", Need: core.Vector{1000, 0}}
			got := tree.Allows(c)
			if want := name != "nowhere" && len(tree.Admits(c)) == 0; got != want {
				t.Errorf("%d: queue %s: Allows is %v, Admits has %v", i, name, got, tree.Admits(c))
			}
			if got {
				yes++
			} else {
				no++
			}
			if i%2 == 0 {
				_ = tree.Charge(c)
			}
		}
	}
	if yes == 0 || no == 0 {
		t.Errorf("%d yes and %d no: not both were tried", yes, no)
	}
}
