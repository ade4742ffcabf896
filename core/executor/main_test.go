package executor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
)

// TestMain lets the test binary be an executor of its own process.
func TestMain(m *testing.M) {
	switch os.Getenv("EXECUTOR_TEST") {
	case "executor":
		err := Run(context.Background(), []core.Framework{framework{work: echo}})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(ExitCode(err))
	case "reaper": // see reap_linux_test.go
		os.Exit(reaperMain())
	}
	goleak.VerifyTestMain(m)
}

// spawn runs an executor in a process of its own; it is killed at the end.
func (h *host) spawn(t *testing.T, id string) *exec.Cmd {
	t.Helper()
	token := NewToken()
	ok(t, h.Expect(id, token, assignment(0)))
	path := t.TempDir() + "/bootstrap.json"
	ok(t, h.bootstrap(id, token).Write(path))
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"EXECUTOR_TEST=executor", BootstrapEnv + "=" + path}
	cmd.Stderr = os.Stderr
	ok(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	return cmd
}
