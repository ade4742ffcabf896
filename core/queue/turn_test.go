package queue

import (
	"slices"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// TestTurn: of equal priority, whoever would have used the least goes first.
func TestTurn(t *testing.T) {
	const hour = 3600_000
	var dims core.Dimensions
	tree, err := New(Config{HalfLife: 24 * hour, Queues: []Queue{{Name: "q", Order: "turn"}}}, &dims)
	if err != nil {
		t.Fatal(err)
	}
	tree.Total(core.Vector{10_000})
	tree.Advance(1)
	claim := func(id uint64, user string, cpu, hours int64, priority int) Claim {
		return Claim{ID: id, Queue: "q", User: user, Priority: priority, Arrival: id, Need: core.Vector{cpu}, Class: id, Work: cpu * hours * hour}
	}
	order := func() []uint64 {
		var ids []uint64
		tree.Each(tree.now, func(id uint64) bool { ids = append(ids, id); return true })
		return ids
	}
	for _, c := range []Claim{
		claim(1, "ann", 1000, 5, 50), claim(2, "ann", 1000, 1, 50), claim(3, "bob", 1000, 2, 50),
		claim(4, "bob", 4000, 2, 50), claim(5, "ann", 1000, 9, 90),
	} {
		if err := tree.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := order(), []uint64{5, 2, 3, 1, 4}; !slices.Equal(got, want) {
		t.Fatalf("order %v, want %v", got, want)
	}
	// Ann uses half the cluster for a day: bob goes first, but for her urgent one.
	busy := Claim{Queue: "q", User: "ann", Need: core.Vector{5000}}
	if err := tree.Charge(busy); err != nil {
		t.Fatal(err)
	}
	tree.Advance(24 * hour)
	tree.Refund(busy)
	if got, want := order(), []uint64{5, 3, 4, 2, 1}; !slices.Equal(got, want) {
		t.Fatalf("order %v after a day of use, want %v", got, want)
	}
	// Ten days later that is forgotten.
	tree.Advance(30 * 24 * hour)
	if got, want := order(), []uint64{5, 2, 3, 1, 4}; !slices.Equal(got, want) {
		t.Fatalf("order %v a month later, want %v", got, want)
	}
}
