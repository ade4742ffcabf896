package meter

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRunReturnsOutput(t *testing.T) {
	m := New()
	defer m.Close()
	out, cost, err := m.Run(t.Context(), Command{Args: []string{"sh", "-c", `cat; echo "$WHO $PWD"`}, In: strings.NewReader("hello "),
		Env: []string{"WHO=world"}, Dir: "/"})
	if err != nil || string(out) != "hello world /\n" {
		t.Errorf("%q, %v", out, err)
	}
	if cost.Wall <= 0 {
		t.Errorf("it took %v", cost.Wall)
	}
}

func TestRunShowsTheComplaint(t *testing.T) {
	m := New()
	defer m.Close()
	_, _, err := m.Run(t.Context(), Command{Args: []string{"sh", "-c", "echo no such thing >&2; exit 3"}})
	if err == nil || !strings.Contains(err.Error(), "no such thing") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("%v", err)
	}
}

func TestRunCountsChildren(t *testing.T) {
	m := New()
	defer m.Close()
	_, cost, err := m.Run(t.Context(), Command{Args: []string{"sh", "-c", "(i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done)"}})
	if err != nil || cost.CPU <= 0 {
		t.Errorf("%+v, %v", cost, err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	m := New()
	defer m.Close()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		f, err := os.OpenFile(fifo, os.O_WRONLY, 0) // waits until the command reads
		if err != nil {
			t.Error(err)
			return
		}
		f.Close()
	}()
	if _, _, err := m.Run(ctx, Command{Args: []string{"sh", "-c", "cat " + fifo + "; exec sleep 600"}}); err == nil {
		t.Error("it ended by itself")
	}
}

func TestServe(t *testing.T) {
	m := New()
	defer m.Close()
	s, err := m.Serve(t.Context(), Command{Args: []string{"sh", "-c", "trap 'exit 0' TERM; echo wait >&2; echo ready now >&2; while :; do sleep 0.05; done"}}, "ready")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	_, err = m.Serve(t.Context(), Command{Args: []string{"sh", "-c", "echo no room >&2"}}, "ready")
	if err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("a command that ended was ready, or did not say why: %v", err)
	}
}

func TestParse(t *testing.T) {
	if d, err := parseStat("nr_periods 0\nusage_usec 1500\nuser_usec 1\n"); d != 1500*time.Microsecond || err != nil {
		t.Errorf("%v, %v", d, err)
	}
	if _, err := parseStat("user_usec 1\n"); err == nil {
		t.Error("no usage was accepted")
	}
	if d, err := parseNanos("42\n"); d != 42 || err != nil {
		t.Errorf("%v, %v", d, err)
	}
}

func TestCloseKillsWhatIsLeft(t *testing.T) {
	m := New()
	if !m.Whole() {
		t.Log("no control group can be made here: nothing to find a daemon by")
		return
	}
	out, _, err := m.Run(t.Context(), Command{Args: []string{"sh", "-c", "setsid sleep 600 >/dev/null 2>&1 & echo $!"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	// A zombie, if nobody reaps it, has no command line.
	if line, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline")); len(line) > 0 {
		t.Errorf("process %d lives: %q", pid, line)
	}
}
