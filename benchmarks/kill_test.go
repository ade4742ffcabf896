package benchmarks

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/core"
)

// Run ends with an error unless every sum is right.
func TestRunSumsSkewedKeys(t *testing.T) {
	binary, root := built(t)
	c := Config{Capstan: binary, Version: "test", Module: root, Cache: t.TempDir(), Workloads: []string{result.Skew},
		Sizes: []int64{4e6}, Launchers: []string{"process"}, Gangs: []int{2}, Repeat: 1, Log: t.Output()}
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if v := r.Judge(); len(v) != 2 || len(r.Samples) != 4 {
		t.Errorf("%d samples, verdicts %v", len(r.Samples), v)
	}
}

func TestMidway(t *testing.T) {
	k := killer{stage: "map"}
	for _, c := range []struct {
		stage core.Stage
		want  bool
	}{
		{core.Stage{Name: "map", Tasks: 4, Done: 1}, false},
		{core.Stage{Name: "map", Tasks: 4, Done: 2}, true},
		{core.Stage{Name: "map", Tasks: 4, Done: 4}, false},
		{core.Stage{Name: "map"}, false},
		{core.Stage{Name: "reduce", Tasks: 4, Done: 2}, false},
	} {
		if got := k.midway([]core.Stage{{Name: "sample", Tasks: 4, Done: 2}, c.stage}); got != c.want {
			t.Errorf("%+v: %t", c.stage, got)
		}
	}
}

func TestStrikeKillsTheExecutorWhoseTurnItIs(t *testing.T) {
	state := t.TempDir()
	var cmds []*exec.Cmd
	for _, id := range []string{"a", "b"} {
		cmd := exec.CommandContext(t.Context(), "sleep", "1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
		dir := filepath.Join(state, "launch", "executors", id)
		text := []byte(`{"id":"` + id + `","labels":{"job":"j"},"process":{"pid":` + strconv.Itoa(cmd.Process.Pid) + `}}`)
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "state.json"), text, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	k := killer{place: place{state: state, launcher: "process"}, job: "j", turn: 3}
	if err := k.strike(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	cmds[1].Wait()
	if s := cmds[1].ProcessState.Sys().(syscall.WaitStatus); s.Signal() != syscall.SIGKILL {
		t.Errorf("the second of two ended with %v", s)
	}
	if err := cmds[0].Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the first of two: %v", err)
	}
}

func TestToldDemandsANoteOfALossExactlyAfterOne(t *testing.T) {
	job := func(notes ...string) *core.Job {
		return &core.Job{ID: "j", Outcome: &core.Outcome{Report: core.Report{Notes: notes}}}
	}
	lost := job("map 1 failed", "rank 1 was lost: killed; map 7 runs again")
	if err := errors.Join(told(lost, true), told(job(), false)); err != nil {
		t.Error(err)
	}
	if told(lost, false) == nil || told(job("map 1 failed"), true) == nil {
		t.Error("a run in which nobody was hit, or somebody by chance, is a sample")
	}
}

func TestBesidesEndsWithWork(t *testing.T) {
	wrong := errors.New("wrong")
	waits := func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
	if err := besides(t.Context(), waits, func(context.Context) error { return wrong }); !errors.Is(err, wrong) || !errors.Is(err, errOver) {
		t.Errorf("%v", err)
	}
}
