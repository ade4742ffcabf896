package framework

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
	"github.com/capstan-run/capstan/plugins/plugintest"
)

// job is an MPI job of a body.
func job(t *testing.T, body map[string]any) core.Spec {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return core.Spec{Kind: spec.Kind, Metadata: core.Metadata{Name: "test", Queue: "default"},
		Gang: core.Gang{Size: 2, CPU: 2000, Memory: 64 << 20}, Body: text}
}

func TestConform(t *testing.T) {
	plugintest.Conform(t, Framework{}, job(t, map[string]any{"command": []string{"true"}, "ppn": 2}), plugintest.Options{})
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestOutcomes is of programs that never speak to their process manager.
func TestOutcomes(t *testing.T) {
	sh := func(script string) map[string]any {
		return map[string]any{"command": []string{"sh", "-c", script}, "ranks": 4}
	}
	for _, c := range []struct {
		name, want string
		body       map[string]any
		exit       int
	}{
		{"well", "", sh("exit 0"), 0},
		{"exit code", "rank 2 ended with exit status 9", sh("[ $PMI_RANK != 2 ] || exit 9"), 9},
		{"signal", "rank 1 was killed by signal 6", sh("[ $PMI_RANK != 1 ] || kill -ABRT $$"), 134},
		{"missing", `did not run: command "no-such-program" is not in the executor`, map[string]any{"command": []string{"no-such-program"}}, 0},
		{"nonsense", "rank 3's process management interface", sh("[ $PMI_RANK != 3 ] || { echo cmd=dance >&3; sleep 1000; }; sleep 1000"), 0},
		{"left behind", "", sh("sleep 1000 & exit 0"), 0},
		{"restarts", "after 2 restarts", map[string]any{"command": []string{"false"}, "failure": "restart", "restarts": 2}, 1},
		{"continue", "", map[string]any{"command": []string{"sh", "-c", "[ $PMI_RANK != 0 ] || kill -9 $$"}, "failure": "continue"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, err := plugintest.Run(t, Framework{}, job(t, c.body), plugintest.Options{})
			switch {
			case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("ends with %v, want %q", err, c.want)
			case report.Exit != c.exit:
				t.Errorf("exit code %d, want %d", report.Exit, c.exit)
			}
		})
	}
}

// TestEnvironment holds what every rank finds in its environment.
func TestEnvironment(t *testing.T) {
	s := job(t, map[string]any{"ranks": 3, "ppn": 2, "env": map[string]string{"LEVEL": "3"},
		"command": []string{"sh", "-c", "env > $PMI_RANK.env"}})
	g := plugintest.NewGang(t, Framework{}, s, plugintest.Options{})
	if _, err := g.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	vars := read(t, g.Shared()+"/work/2.env")
	for _, want := range []string{"PMI_RANK=2\n", "PMI_SIZE=3\n", "PMI_FD=3\n", "MPI_LOCALRANKID=2\n", "MPI_LOCALNRANKS=3\n", "LEVEL=3\n", "OMP_NUM_THREADS=",
		`"world":"capstan_test_1_1","rank":2,"size":3,"local":2,"locals":3`} {
		if !strings.Contains(vars, want) {
			t.Errorf("no %q in %s", want, vars)
		}
	}
	for _, secret := range []string{"CAPSTAN_BOOTSTRAP", "PMI_SPAWNED"} {
		if strings.Contains(vars, secret) {
			t.Errorf("the rank sees %s", secret)
		}
	}
}
