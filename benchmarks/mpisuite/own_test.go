package mpisuite

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// built compiles a program of testdata.
func built(t *testing.T, name string) string {
	t.Helper()
	cc, err := exec.LookPath("mpicc.mpich")
	if err != nil && os.Getenv("CAPSTAN_REQUIRE_DOCKER") != "" { // a machine with all parts
		t.Fatal("no mpicc.mpich: install mpich and libmpich-dev")
	}
	if err != nil {
		t.Skip("no mpicc.mpich: install mpich and libmpich-dev")
	}
	out := filepath.Join(t.TempDir(), name)
	if b, err := exec.Command(cc, "-o", out, filepath.Join("testdata", name+".c")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return out
}

// launched runs a program on ranks of the server alone.
func launched(t *testing.T, ranks int, argv ...string) (string, int) {
	t.Helper()
	dir := filepath.Dir(argv[0])
	argv[0] = "./" + filepath.Base(argv[0])
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Minute, errLate)
	defer cancel()
	out, code, err := Local{}.Launch(ctx, dir, &Case{Argv: argv, Ranks: ranks})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out, code
}

// Conforming programs of our own, for machines that do not have MPICH's. None
// spawns: Debian's MPICH 4.0 opens no port over UCX.
func TestOwn(t *testing.T) {
	for _, c := range []struct {
		name  string
		ranks int
		args  []string
	}{
		{"messages", 2, nil}, {"groups", 3, nil}, {"windows", 2, []string{filepath.Join(t.TempDir(), "file")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, code := launched(t, c.ranks, append([]string{built(t, c.name)}, c.args...)...)
			if fault := NoErrors.judge(out, code); fault != "" {
				t.Errorf("%s\n%s", fault, out)
			}
		})
	}
}

// However a rank ends, all end, and the code is that rank's.
func TestEnds(t *testing.T) {
	program := built(t, "ends")
	for how, want := range map[string]int{"abort": 17, "signal": 139, "exit": 18, "code": 19} {
		out, code := launched(t, 2, program, how)
		if code != want || strings.Contains(out, "No Errors") {
			t.Errorf("%s: code %d, want %d\n%s", how, code, want, out)
		}
	}
}
