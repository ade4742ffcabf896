package algorithm

import (
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

func TestEveryFaultIsTold(t *testing.T) {
	_, err := New("pagerank", Setup{With: map[string]any{"iteratoins": 3, "damping": "much", "tolerance": true}})
	e := core.AsError(err)
	if e == nil || e.Kind != core.Invalid || len(e.Diagnostics) != 3 {
		t.Fatalf("error %+v", err)
	}
	for i, want := range []string{"damping is much", `unknown option "iteratoins"`, "tolerance is true"} {
		d := e.Diagnostics[i]
		if !strings.Contains(d.Message, want) || d.Remedy == "" || !strings.HasPrefix(d.Path, "spec.algorithm.with.") {
			t.Errorf("fault %d: %v", i, d)
		}
	}
	if !strings.Contains(e.Diagnostics[1].Remedy, `"iterations"`) {
		t.Errorf("remedy %q", e.Diagnostics[1].Remedy)
	}
}

func TestValuesOutOfRange(t *testing.T) {
	_, err := New("pagerank", Setup{With: map[string]any{"iterations": 0, "damping": 1.5}})
	if e := core.AsError(err); e == nil || len(e.Diagnostics) != 2 {
		t.Fatalf("error %+v", err)
	}
	_, err = New("personalised-pagerank", Setup{})
	if e := core.AsError(err); e == nil || e.Where != "spec.algorithm.with.sources" {
		t.Fatalf("error %+v", err)
	}
}

func TestUnknownName(t *testing.T) {
	_, err := New("pagerang", Setup{})
	if e := core.AsError(err); e == nil || !strings.Contains(e.Remedy, `"pagerank"`) || e.Where != "spec.algorithm.use" {
		t.Fatalf("error %+v", err)
	}
}

func TestOptionsAreDescribed(t *testing.T) {
	names := map[string]bool{}
	for _, a := range All() {
		if names[a.Name] || a.About == "" {
			t.Errorf("%q: twice, or without a word", a.Name)
		}
		names[a.Name] = true
		for _, o := range a.Options {
			if o.Name == "" || o.Type == "" || o.About == "" {
				t.Errorf("%s: option %+v", a.Name, o)
			}
		}
	}
}
