package process_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/launchtest"
	"github.com/capstan-run/capstan/core/launch/process"
)

func TestMain(m *testing.M) {
	launchtest.Main()
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	launchtest.Test(t, launchtest.Config{
		Open: open,
		Kill: func(t *testing.T, _ string, a *launchtest.Agent) {
			if err := syscall.Kill(a.Hello.PID, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		},
		Obstruct: func(t *testing.T, stateDir, id string) {
			if err := os.Mkdir(filepath.Join(stateDir, "executors", id), 0o700); err != nil {
				t.Error(err)
			}
		},
		Leftovers: marked,
	})
}

func open(t *testing.T, stateDir, instance string) launch.Launcher {
	t.Helper()
	l, err := process.New(t.Context(), process.Config{StateDir: stateDir, Instance: instance})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// marked lists the processes that carry an instance's mark, zombies aside.
func marked(t *testing.T, instance string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, f := range files {
		env, err := os.ReadFile(f)
		if err == nil && containsEntry(string(env), launch.EnvExecutor+"="+instance+"/") {
			left = append(left, fmt.Sprint(filepath.Dir(f)))
		}
	}
	return left
}

func containsEntry(env, prefix string) bool {
	for entry := range strings.SplitSeq(env, "\x00") {
		if strings.HasPrefix(entry, prefix) {
			return true
		}
	}
	return false
}
