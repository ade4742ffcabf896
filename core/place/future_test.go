package place

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
)

// TestFuture: what a claim finds in a future is what it would find on a clone to
// which the same was done, and a claim that is not roomy has no place (law F5).
func TestFuture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyScene(t)
		claims := []Claim{s.claim}
		for range rapid.IntRange(0, 2).Draw(t, "others") {
			other := &scene{f: s.f, claim: Claim{Policy: asking(rapid.SampledFrom([]string{"", "pack rack", "slice 2 host"}).Draw(t, "policy"))}}
			for range rapid.IntRange(1, 2).Draw(t, "roles") {
				other.role(t, rapid.IntRange(1, 4).Draw(t, "size"), nil)
			}
			claims = append(claims, other.claim)
		}
		clone := s.f.Clone()
		u := s.f.Future()
		defer u.Done()
		var views []*Prospect
		for k := range claims {
			claims[k].Relax = rapid.IntRange(0, 2).Draw(t, "relax")
			claims[k].Policy.Preferred = claims[k].Relax > 0
			views = append(views, u.Watch(&claims[k]))
		}
		for range rapid.IntRange(0, 12).Draw(t, "changes") {
			r, id := Ref(rapid.IntRange(0, s.f.Len()-1).Draw(t, "node")), ShapeID(rapid.IntRange(0, len(s.f.shapes)-1).Draw(t, "shape"))
			n := rapid.IntRange(1, 3).Draw(t, "n")
			if rapid.IntRange(0, 2).Draw(t, "take") == 0 {
				u.Take(r, id, n)
				clone.Take(r, id, n)
			} else if n = min(n, onNode(clone, r, id)); n > 0 {
				u.Give(r, id, n)
				clone.Give(r, id, n)
			}
			if k := rapid.IntRange(-1, len(views)-1).Draw(t, "ask"); k >= 0 {
				sees(t, views[k], clone, &claims[k])
			}
		}
		for k := range views {
			sees(t, views[k], clone, &claims[k])
		}
		for r := range s.f.Len() {
			if got, want := u.Free(Ref(r)), clone.Free(Ref(r)); got != want {
				t.Fatalf("free on node %d is %v, want %v", r, got, want)
			}
		}
	})
}

// onNode is how many ranks of a shape may leave a node: of one that nodes do not
// remember, as many as were ever taken.
func onNode(f *Fleet, r Ref, id ShapeID) int {
	if !f.shapes[id].tenant() {
		taken := f.Capacity(r).Sub(f.Free(r))
		n := 0
		for next := f.shapes[id].each; next.Fits(taken) && next != (core.Vector{}); next = next.Add(f.shapes[id].each) {
			n++
		}
		return n
	}
	on := &f.page(r).tenants
	for i := on.head[r&63]; i >= 0; i = on.arena[i].next {
		if on.arena[i].shape == id {
			return int(on.arena[i].n)
		}
	}
	return 0
}

func sees(t *rapid.T, p *Prospect, want *Fleet, c *Claim) {
	t.Helper()
	for k := range c.Roles {
		if tally := want.tally(want.shapes[c.Roles[k].Shape], Present); !slices.Equal(tally.room, p.roles[k].tally.room) {
			t.Fatalf("role %d: room %v, want %v", k, p.roles[k].tally.room, tally.room)
		}
	}
	choice, ok := want.Choose(c)
	got, gotOK := p.Choose(c)
	if ok != gotOK || !slices.Equal(choice.Nodes, got.Nodes) || !slices.Equal(choice.Counts, got.Counts) {
		t.Fatalf("%+v: chosen %v (%v), want %v (%v)", *c, got, gotOK, choice, ok)
	}
	if ok && (!p.Roomy() || p.Room() < int64(least(&c.Roles[0]))) {
		t.Fatalf("%+v has a place, but room for %d (roomy %v)", *c, p.Room(), p.Roomy())
	}
	var fresh gauge
	fresh.aim(c)
	fresh.fill(want.plant, want.tally(want.shapes[c.Roles[0].Shape], Present))
	if fresh.total != p.Room() {
		t.Fatalf("%+v: room for %d, counted anew %d", *c, p.Room(), fresh.total)
	}
}
