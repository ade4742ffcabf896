package mpiexec

import (
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/capstan-run/capstan/frameworks/mpi/spec"
)

// Where ranks are processes of this machine, programs run where they lie.
func TestInPlace(t *testing.T) {
	dir := folder(t, "heat")
	in := []string{"env", filepath.Join(dir, "heat"), "1"}
	for _, line := range [][]string{{"./heat", "1"}, {"heat", "1"}, {filepath.Join(dir, "heat"), "1"}} {
		if m := makes(t, Site{Dir: dir, Launcher: "process"}, line...); !slices.Equal(m.Spec.Command, in) {
			t.Errorf("%q: %q, want %q", line, m.Spec.Command, in)
		}
	}
	if m := makes(t, Site{Dir: dir, Launcher: "process"}, "hostname"); !slices.Equal(m.Spec.Command, []string{"hostname"}) {
		t.Errorf("%q", m.Spec.Command)
	}
}

// A program of Open MPI is known by what it is linked with; a script is not.
func TestLibrary(t *testing.T) {
	dir := folder(t, "script")
	if m := makes(t, Site{Dir: dir, Launcher: "docker"}, "./script"); m.Spec.Launcher != "" {
		t.Errorf("a script is started by %q", m.Spec.Launcher)
	}
	if m := makes(t, Site{Dir: dir, Launcher: "docker"}, "-mpi", "openmpi", "./script"); m.Spec.Launcher != spec.OpenMPI {
		t.Errorf("-mpi openmpi: %q", m.Spec.Launcher)
	}
	program := filepath.Join(dir, "program")
	cc := exec.Command("mpicc.openmpi", "-x", "c", "-o", program, filepath.Join("..", "door", "testdata", "openmpi.c"))
	if b, err := cc.CombinedOutput(); err != nil {
		t.Skipf("%v: install libopenmpi-dev\n%s", err, b)
	}
	if m := makes(t, Site{Dir: dir, Launcher: "docker"}, "./program"); m.Spec.Launcher != spec.OpenMPI {
		t.Errorf("a program of Open MPI is started by %q", m.Spec.Launcher)
	}
}
