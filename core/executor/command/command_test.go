package command

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/capstan-run/capstan/core"
)

func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStartErrors(t *testing.T) {
	for _, c := range []struct{ name, command, what string }{
		{"bare", "no-such-program", "is not in the executor"},
		{"path", "/no/such/program", "is not in the executor"},
		{"nothing", "", "no command"},
		{"mode", write(t, "data", "#!/bin/sh\n", 0o644), "may not be run"},
		{"interpreter", write(t, "a", "#!/no/such/shell\n", 0o755), "the interpreter that"},
		{"text", write(t, "b", "hello\n", 0o755), "neither a program"},
	} {
		cmd, err := New([]string{c.command}, t.TempDir(), []string{"PATH=/usr/bin:/bin"})
		if err == nil {
			err = Start(cmd)
		}
		if e := core.AsError(err); err == nil || e.Kind != core.Invalid || !strings.Contains(e.What, c.what) || e.Remedy == "" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A relative name is below the command's folder, and a bare one is a regular
// file of the PATH that may be run.
func TestLookup(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	for path, mode := range map[string]os.FileMode{filepath.Join(first, "x"): 0o644, filepath.Join(second, "x"): 0o755} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"x": filepath.Join(second, "x"), "./x": "/work/x", "/bin/x": "/bin/x"} {
		cmd, err := New([]string{name}, "/work", []string{"A=1", "PATH=" + first + ":" + second})
		if err != nil || cmd.Path != want {
			t.Errorf("%s is %v (%v), want %s", name, cmd, err, want)
		}
	}
}

// The kill reaches what a command started, and how it ended is known.
func TestKillReachesTheGroup(t *testing.T) {
	cmd, err := New([]string{"sh", "-c", "sleep 1000 & echo up; wait"}, "/", []string{"PATH=/usr/bin:/bin"})
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stdout = w
	if err := Start(cmd); err != nil {
		t.Fatal(err)
	}
	w.Close()
	lines := bufio.NewReader(r)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	Kill(cmd)
	if err := cmd.Wait(); err == nil {
		t.Error("it ended well")
	}
	if s, ok := KilledBy(cmd.ProcessState); !ok || s != syscall.SIGKILL {
		t.Errorf("it was killed by %v, %v", s, ok)
	}
	// sleep holds the pipe's other end until it is gone, too.
	if _, err := lines.ReadByte(); err == nil {
		t.Error("there is more")
	}
	Signal(cmd, syscall.SIGTERM) // nobody hears it, and that is no fault
}
