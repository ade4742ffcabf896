package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary capstan itself, with its host, its plugins and
// its executors as processes.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{"executor", "plugin", "store-server"}, os.Args[1]) {
		main() // a launcher keeps the binary under a name of its own
		return
	}
	testscript.Main(m, map[string]func(){"capstan": main})
}

// TestScripts runs commands against real hosts on plain processes.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			// A short way: sockets lie in the state directory.
			dir, err := os.MkdirTemp("", "cap")
			if err != nil {
				return err
			}
			e.Defer(func() { os.RemoveAll(dir) })
			e.Setenv("CAPSTAN_STATE", filepath.Join(dir, "s"))
			e.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":  code,
			"until": until,
			"here":  here,
		},
	})
}

// code runs capstan and holds its exit code: code N args...
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N args...")
	}
	err := ts.Exec("capstan", args[1:]...)
	got := "exit status 0"
	if err != nil {
		got = err.Error()
	}
	if want := "exit status " + args[0]; got != want {
		ts.Fatalf("capstan %v: %s, not %s", args[1:], got, want)
	}
}

// here puts folders of the script's own where files say $WORK or $CAPSTAN_STATE.
func here(ts *testscript.TestScript, neg bool, args []string) {
	folders := strings.NewReplacer("$WORK", ts.MkAbs("."), "$CAPSTAN_STATE", ts.Getenv("CAPSTAN_STATE"))
	for _, f := range args {
		ts.Check(os.WriteFile(ts.MkAbs(f), []byte(folders.Replace(ts.ReadFile(f))), 0o600))
	}
}

// until runs capstan again and again until what it prints matches: until REGEXP
// args...
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP args...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var out []byte
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-tick.C {
		cmd := exec.Command("capstan", args[1:]...)
		cmd.Dir, cmd.Env = ts.MkAbs("."), append(os.Environ(), "CAPSTAN_STATE="+ts.Getenv("CAPSTAN_STATE"), "NO_COLOR=1")
		if out, _ = cmd.CombinedOutput(); want.Match(out) {
			return
		}
	}
	ts.Fatalf("capstan %v never printed %s; the last was\n%s", args[1:], args[0], out)
}
