package host

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// TestEventLogReplays: what a host wrote down of its scheduler gives the same
// scheduler again.
func TestEventLogReplays(t *testing.T) {
	h := &Host{cfg: Config{StateDir: t.TempDir()}, log: slog.New(slog.DiscardHandler), due: make(chan struct{}, 1)}
	cfg := gang.Config{Lease: 7}
	h.sched = gang.New(cfg)
	if err := h.openEventLog(cfg); err != nil {
		t.Fatal(err)
	}
	h.step(gang.NodeUp{Now: 1, Node: core.Node{ID: "a", Capacity: core.Resources{CPU: 4000, Memory: 1 << 30}, Generic: map[string]int64{"gpu": 2, "fpga": 1}}})
	for i := range 10 {
		h.step(gang.Submit{Now: int64(2 + i), Request: gang.Request{Gang: gang.ID(fmt.Sprintf("j%d/m", i)), Job: core.JobID(fmt.Sprintf("j%d", i)),
			Size: 1 + i%3, Each: core.Resources{CPU: 1000}, Generic: map[string]int64{"gpu": int64(i % 2)}, Walltime: 1000}})
	}
	h.step(gang.Started{Now: 20, Gang: "j0/m", Lease: 8})
	h.step(gang.Release{Now: 30, Gang: "j0/m"})
	h.closeEventLog()
	paths, err := filepath.Glob(filepath.Join(h.cfg.StateDir, "scheduler", "*.jsonl"))
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	f, err := os.Open(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var again *gang.Scheduler
	for sc := bufio.NewScanner(f); sc.Scan(); {
		e, c, err := gang.ParseEvent(sc.Bytes())
		switch {
		case err != nil:
			t.Fatal(err)
		case c != nil:
			again = gang.New(*c)
		default:
			again.Step(e)
		}
	}
	if got, want := again.String(), h.sched.String(); got != want || !strings.Contains(got, "last lease 10") {
		t.Fatalf("replayed:\n%s\nwas:\n%s", got, want)
	}
}

// TestEventLogsAreFew: a host keeps the logs of its last lives only.
func TestEventLogsAreFew(t *testing.T) {
	h := &Host{cfg: Config{StateDir: t.TempDir()}, log: slog.New(slog.DiscardHandler)}
	for range 2 * keptLogs {
		if err := h.openEventLog(gang.Config{}); err != nil {
			t.Fatal(err)
		}
		h.closeEventLog()
	}
	paths, _ := filepath.Glob(filepath.Join(h.cfg.StateDir, "scheduler", "*.jsonl"))
	if len(paths) != keptLogs+1 {
		t.Fatalf("%d logs, want %d", len(paths), keptLogs+1)
	}
}
