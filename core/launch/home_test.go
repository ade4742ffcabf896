package launch_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
)

func TestCheckHome(t *testing.T) {
	if err := launch.CheckHome("/var/lib/capstan", "host-1.a_b"); err != nil {
		t.Error(err)
	}
	for _, c := range [][2]string{
		{"/x", ""}, {"/x", "-a"}, {"/x", "a b"}, {"/x", "a/b"}, {"/x", strings.Repeat("a", 41)}, {"", "a"}, {"x", "a"},
	} {
		if err := launch.CheckHome(c[0], c[1]); core.KindOf(err) != core.Invalid {
			t.Errorf("CheckHome(%q, %q) = %v", c[0], c[1], err)
		}
	}
}

func TestCheckOn(t *testing.T) {
	e := launch.Executor{ID: "a.1", Shared: t.TempDir()}
	for node, want := range map[string]core.ErrKind{"": "", "here": "", "there": core.Unplaceable} {
		e.Node = core.NodeID(node)
		err := e.CheckOn("here")
		if core.KindOf(err) != want {
			t.Errorf("on node %q: %v", node, err)
		}
		if want != "" && !strings.Contains(core.AsError(err).Where, "executor a.1 on node here") {
			t.Errorf("on node %q: at %q", node, core.AsError(err).Where)
		}
	}
	e.ID = ".."
	if err := e.CheckOn("here"); err == nil {
		t.Error("a bad id is accepted")
	}
}

func TestEnvironment(t *testing.T) {
	places := launch.Places{Shared: "/g", Scratch: "/s", Files: "/f"}
	e := launch.Executor{ID: "x"}
	plain := e.Environment(places, launch.Mark("host", "x"))
	want := []string{"HOME=/s", "TMPDIR=/s", "CAPSTAN_SHARED=/g", "CAPSTAN_SCRATCH=/s", "CAPSTAN_FILES=/f", "CAPSTAN_EXECUTOR=host/x"}
	if !slices.Equal(plain, want) {
		t.Errorf("environment %q, want %q", plain, want)
	}
	e.Bootstrap, e.Memory = "x.json", 100
	if full := e.Environment(places, ""); !slices.Contains(full, "CAPSTAN_BOOTSTRAP=/g/x.json") || !slices.Contains(full, "GOMEMLIMIT=90") {
		t.Errorf("environment %q", full)
	}
}
