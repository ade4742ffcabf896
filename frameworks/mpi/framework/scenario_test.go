package framework_test

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

// TestScenarios runs the real binary with real programs: its host, its plugin, its
// executors, and what MPICH's compiler makes of C.
func TestScenarios(t *testing.T) {
	required := os.Getenv("CAPSTAN_REQUIRE_DOCKER") != ""
	if _, err := exec.LookPath("mpicc.mpich"); err != nil {
		if required {
			t.Fatal("no mpicc.mpich: install libmpich-dev")
		}
		t.Skip("NO MPICH: install libmpich-dev")
	}
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
			e.Setenv("CAPSTAN_STATE", e.WorkDir+"/../state-"+filepath.Base(e.WorkDir))
			e.Setenv("NO_COLOR", "1")
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "docker" {
				return false, fmt.Errorf("no condition %q", name)
			}
			c, err := net.Dial("unix", "/var/run/docker.sock")
			if err == nil {
				return true, c.Close()
			}
			if required {
				return false, err
			}
			t.Logf("NO DOCKER: scenarios in containers are skipped: %v", err)
			return false, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code, "host": host, "crash": crash, "until": until},
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
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // a crash is part of the scenario
		close(ended)
	}()
	ts.Check(os.WriteFile(ts.MkAbs("host.pid"), fmt.Append(nil, cmd.Process.Pid), 0o600))
	ts.Defer(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended
	})
	await(ts, "the host", func() bool { return ts.Exec("capstan", "list") == nil })
}

// crash kills the host as soon as a file is there: crash FILE.
func crash(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: crash FILE")
	}
	await(ts, args[0], func() bool { _, err := os.Stat(ts.MkAbs(args[0])); return err == nil })
	var pid int
	_, err := fmt.Sscan(ts.ReadFile("host.pid"), &pid)
	ts.Check(err)
	p, err := os.FindProcess(pid)
	ts.Check(err)
	ts.Check(p.Kill())
	await(ts, "the host's end", func() bool { return ts.Exec("capstan", "list") != nil })
}

// until runs capstan until it prints a text: until TEXT args...
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until TEXT args...")
	}
	await(ts, args[0], func() bool {
		return ts.Exec("capstan", args[1:]...) == nil && strings.Contains(ts.ReadFile("stdout"), args[0])
	})
}

func await(ts *testscript.TestScript, what string, there func() bool) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); !there(); {
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("%s does not come", what)
		}
	}
}
