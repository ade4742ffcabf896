package host

import (
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// What a coordinator asks for beyond the plan is checked as the plan is.
func TestWantBeyondPlan(t *testing.T) {
	s := newStage(t)
	id := s.submit(1, 0)
	s.started()
	c := s.scene()
	side := core.GangAsk{Name: "side", Gang: core.Gang{Size: 1, CPU: 100, Memory: 1 << 20}}
	for what, spoil := range map[string]func(*core.GangAsk){
		"reads the host's keys":   func(g *core.GangAsk) { g.ReadOnly = []string{s.dir} },
		"reads all there is":      func(g *core.GangAsk) { g.ReadOnly = []string{"/"} },
		"names no program":        func(g *core.GangAsk) { g.Program = "../../bin/sh" },
		"has a file nobody sent":  func(g *core.GangAsk) { g.Files = []core.File{{Name: "x", SHA256: strings.Repeat("a", 64)}} },
		"wants more of the store": func(g *core.GangAsk) { g.Store = []core.StoreGrant{{Prefix: "others/"}} },
		"has no name":             func(g *core.GangAsk) { g.Name = "" },
		"has a path for a name":   func(g *core.GangAsk) { g.Name = "a/b" },
	} {
		ask := side
		spoil(&ask)
		if err := c.WantGang(ask); core.KindOf(err) != core.Denied && core.KindOf(err) != core.Invalid {
			t.Errorf("a gang that %s: got %v", what, err)
		}
	}
	if err := c.WantGang(side); err != nil {
		t.Fatal(err)
	}
	if ex := s.started(); !strings.Contains(ex[0], ".side.") {
		t.Errorf("started are %v", ex)
	}
	c.end <- nil
	s.until(id, "the end", ended)
	s.nothingLeft()
}

func TestGrants(t *testing.T) {
	planned := []core.StoreGrant{{Prefix: "in/data/"}, {Prefix: "out/", Write: true}}
	for ask, want := range map[core.StoreGrant]bool{
		{Prefix: "in/data/"}: true, {Prefix: "in/data/x"}: true, {Prefix: "in/"}: false, {Prefix: "in/data/", Write: true}: false,
		{Prefix: "out/x", Write: true}: true, {Prefix: "out/"}: true,
	} {
		if err := checkGrants([]core.StoreGrant{ask}, planned); (err == nil) != want {
			t.Errorf("%+v: %v", ask, err)
		}
	}
}
