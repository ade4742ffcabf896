package batch_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScenarios runs the real binary: its host, its plugin and its executors.
// Scenarios that need containers are skipped, loudly, where no engine answers.
func TestScenarios(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "capstan"), "github.com/capstan-run/capstan")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build capstan: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+":"+e.Getenv("PATH"))
			e.Setenv("CAPSTAN_STATE", e.WorkDir+"/state")
			e.Setenv("NO_COLOR", "1")
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "docker" {
				return false, fmt.Errorf("no condition %q", name)
			}
			c, err := net.Dial("unix", "/var/run/docker.sock")
			if err != nil {
				t.Logf("NO DOCKER: scenarios in containers are skipped: %v", err)
				return false, nil
			}
			return true, c.Close()
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code, "host": host},
	})
}

// code runs capstan and holds its exit code: code N args...
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N args...")
	}
	got := "exit status 0"
	if err := ts.Exec("capstan", args[1:]...); err != nil {
		got = err.Error()
	}
	if want := "exit status " + args[0]; got != want {
		ts.Fatalf("capstan %s: %s, not %s\n%s", strings.Join(args[1:], " "), got, want, ts.ReadFile("stderr"))
	}
}

// host starts a host for the rest of the scenario: host args...
func host(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: host args...")
	}
	cmd := exec.Command(filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "capstan"), append([]string{"up"}, args...)...)
	for _, name := range []string{"PATH", "CAPSTAN_STATE", "HOME", "TMPDIR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); ts.Exec("capstan", "list") != nil; {
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("the host does not come up")
		}
	}
}
