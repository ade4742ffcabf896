package place

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/core"
)

func TestShrinkAndRelief(t *testing.T) {
	for _, c := range []struct {
		nodes, policy, constraints string
		size                       int
		shrink                     string
		relief                     string
	}{
		{"a:2 b:1", "", "", 4, "size 3, size 4 with cpu 665m", "a 1 cpu"},
		{"a:0", "", "", 1, "", "a 1 cpu"},
		{"a:7 b:8", "", "", 17, "size 15, size 17 with cpu 875m", ""}, // no node holds that much
		{"a:3 b:3", "pack host", "", 4, "size 3, size 4 with cpu 750m, no pack host", "a 1 cpu"},
		{"a:3 b:0", "spread host", "", 2, "size 1, no spread host", "b 1 cpu"},
		{"a:3 b:0 c:0", "spread host", "", 3, "size 1, no spread host", ""}, // two nodes are short
		{"r1/a:3 r1/b:0 r2/c:0", "spread rack", "", 2, "size 1, no spread rack", "c 1 cpu"},
		{"a:8 b:1", "perHost 2", "", 4, "size 3, size 4 with cpu 500m, no perHost", "b 1 cpu"},
		{"a:3 b:3", "slice 2 host", "", 6, "size 5, size 6 with cpu 750m, no slice", "a 1 cpu"},
		{"a:8,numa=2", "pack numa", "", 5, "size 4, size 5 with cpu 800m, no pack numa", ""},
		{"a:3,os=x b:3", "", "os LIKE x", 4, "size 3, size 4 with cpu 750m, no constraint os LIKE x", "a 1 cpu"},
		{"a:3 b:3", "", "host UNIQUE", 3, "size 2, no constraint host UNIQUE", ""},
	} {
		f := site(c.nodes)
		all, counting, err := Split(constraints(c.constraints))
		if err != nil {
			t.Fatal(err)
		}
		id, err := f.Shape(Rank{Each: core.Resources{CPU: 1000, Memory: 1 << 20}, Constraints: all})
		if err != nil {
			t.Fatal(err)
		}
		claim := &Claim{Roles: []RoleAsk{{Shape: id, Size: c.size, Counting: counting}}, Policy: asking(c.policy)}
		if got := strings.Join(f.Shrink(claim), ", "); got != c.shrink {
			t.Errorf("%s of %d on %q: shrink %q, want %q", c.policy, c.size, c.nodes, got, c.shrink)
		}
		got := ""
		if id, need, ok := f.Relief(claim); ok {
			got = fmt.Sprintf("%s %s", id, f.Words(need))
		}
		if got != c.relief {
			t.Errorf("%s of %d on %q: relief %q, want %q", c.policy, c.size, c.nodes, got, c.relief)
		}
	}
}

// TestChangesWork: whatever Shrink and Relief propose makes a placement
// possible.
func TestChangesWork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyScene(t)
		if s.f.Fits(&s.claim) {
			return
		}
		for _, change := range s.f.Shrink(&s.claim) {
			if verb, _, _ := strings.Cut(change, " "); verb == "no" {
				continue // each was tried; see the table for their names
			}
			smaller := s.claim
			ask := s.claim.Roles[0]
			rank := s.ranks[0]
			read(t, change, &ask, &rank)
			id, err := s.f.Shape(rank)
			if err != nil {
				t.Fatal(err)
			}
			ask.Shape = id
			smaller.Roles = []RoleAsk{ask}
			if !s.f.Fits(&smaller) {
				t.Fatalf("%q does not help", change)
			}
		}
		if id, need, ok := s.f.Relief(&s.claim); ok {
			r, _ := s.f.Ref(id)
			free, err := s.f.Shape(Rank{Each: need.Resources()})
			if err != nil {
				t.Fatal(err)
			}
			s.f.Give(r, free, 1)
			if !s.f.Fits(&s.claim) || !s.f.Free(r).Fits(s.f.Capacity(r)) {
				t.Fatalf("%v freed on %s does not help", need, id)
			}
		}
	})
}

// read reads a change back as a user would.
func read(t *rapid.T, change string, ask *RoleAsk, rank *Rank) {
	f := strings.Fields(change)
	for i := 0; i+1 < len(f); i++ {
		var err error
		switch f[i] {
		case "size":
			_, err = fmt.Sscan(f[i+1], &ask.Size)
			ask.Min = 0
		case "cpu":
			rank.Each.CPU, err = core.ParseCPU(f[i+1])
		case "memory":
			rank.Each.Memory, err = core.ParseBytes(f[i+1])
		}
		if err != nil {
			t.Fatalf("%q: %v", change, err)
		}
	}
}

func TestRolesExplain(t *testing.T) {
	f := site("a:4 b:3")
	small, _ := f.Shape(Rank{Each: core.Resources{CPU: 1000}})
	large, _ := f.Shape(Rank{Each: core.Resources{CPU: 4000}})
	c := &Claim{Roles: []RoleAsk{{Shape: small, Size: 4}, {Shape: large, Size: 1}}}
	words := func() []string {
		var out []string
		for _, b := range f.Explain(c) {
			out = append(out, b.String())
		}
		return out
	}
	if diff := cmp.Diff([]string{
		"each role has room by itself, but not all of them together",
		"node a: room for 4",
		"node b: room for 3",
	}, words()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"role 1 of size 3"}, f.Shrink(c)); diff != "" {
		t.Error(diff)
	}
	c.Roles[1].Size = 2
	if diff := cmp.Diff([]string{
		"role 2: there is room for 1 rank, 2 are needed",
		"node a: room for 1",
		"node b: short of cpu (node b lacks 1 cpu)",
	}, words()); diff != "" {
		t.Error(diff)
	}
	c.Roles[0].Size, c.Roles[1].Size = 3, 1
	choice, ok := f.Choose(c)
	if got := where(f, choice); !ok || got != "b b b a" {
		t.Errorf("%q", got)
	}
}

func TestCheck(t *testing.T) {
	for ask, want := range map[core.PlacementAsk]string{
		{}:                             "",
		{Pack: "rack"}:                 "",
		{Pack: "numa"}:                 "",
		{Spread: "zone"}:               "",
		{Pack: "cluster"}:              `placement level "cluster" is not host, rack or zone`,
		{Spread: "Host"}:               `placement level "Host" is not host, rack or zone`,
		{Spread: "numa"}:               `placement level "numa" is not host, rack or zone`,
		{Pack: "rack", Spread: "host"}: "placement cannot both pack and spread",
		{PerHost: -1}:                  "placement perHost and slice are numbers of ranks, not -1 and 0",
		{Slice: 2}:                     "placement slice and sliceLevel go together",
		{SliceLevel: "rack"}:           "placement slice and sliceLevel go together",
		{Slice: 2, SliceLevel: "numa"}: `placement level "numa" is not host, rack or zone`,
		{Slice: 2, SliceLevel: "rack"}: "",
		{Slice: 2, SliceLevel: "rack", Spread: "rack"}: "placement cannot spread rack and keep slices of 2 in one rack",
		{Slice: 2, SliceLevel: "rack", Spread: "host"}: "",
		{Slice: 4, SliceLevel: "host", PerHost: 2}:     "placement cannot keep slices of 4 on a host with at most 2 ranks",
	} {
		got := ""
		if err := Check(ask); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%+v: %q, want %q", ask, got, want)
		}
	}
}
