package scenarios

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/capstan-run/capstan/frameworks/spark/sparktest"
)

// capstan is the binary under test, module the folder of its source.
var capstan, module string

func TestMain(m *testing.M) {
	sparktest.BeIfChild()
	os.Exit(suite(m))
}

func suite(m *testing.M) int {
	// Scenarios mostly wait for events, so more of them than there are cores
	// run side by side.
	flag.Parse()
	flag.Set("test.parallel", "4")
	dir, err := os.MkdirTemp("", "cs-bin-")
	if err == nil {
		defer os.RemoveAll(dir)
		module, err = filepath.Abs("../..")
	}
	if err == nil {
		capstan = filepath.Join(dir, "capstan")
		err = build(module, capstan, ".")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build compiles a command as the README says, in dir.
func build(dir, to, from string, env ...string) error {
	cmd := exec.Command("go", "build", "-o", to, from)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build in %s: %w\n%s", dir, err, out)
	}
	return nil
}

// engine answers why no Docker engine does.
var engine = sync.OnceValue(func() error {
	out, err := exec.Command("docker", "version", "--format", "{{.Server.Version}}").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
})

// launchers are those that work here.
func launchers(t *testing.T) []string {
	t.Helper()
	err := engine()
	switch {
	case err == nil:
		return []string{"process", "docker"}
	case os.Getenv("CAPSTAN_REQUIRE_DOCKER") == "1":
		t.Fatalf("CAPSTAN_REQUIRE_DOCKER=1, but no engine answers: %v", err)
	}
	t.Logf("no Docker engine answers, so the docker launcher is not tested: %v", err)
	return []string{"process"}
}

// onEach runs a scenario with each launcher, side by side with the others.
func onEach(t *testing.T, scenario func(t *testing.T, launcher string)) {
	t.Helper()
	for _, l := range launchers(t) {
		t.Run(l, func(t *testing.T) {
			t.Parallel()
			scenario(t, l)
		})
	}
}
