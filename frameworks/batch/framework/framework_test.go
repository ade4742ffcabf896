package framework

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/spec"
	"github.com/capstan-run/capstan/plugins/plugintest"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.ServeIfChild()
	goleak.VerifyTestMain(m)
}

// job is a Batch job of a body; "name" is its name.
func job(t *testing.T, body map[string]any) core.Spec {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return core.Spec{Kind: spec.Kind, Metadata: core.Metadata{Name: "test", Queue: "default"},
		Gang: core.Gang{Size: 1, CPU: 2000, Memory: 64 << 20}, Body: text}
}

func script(lines ...string) string { return "#!/bin/sh\n" + strings.Join(lines, "\n") + "\n" }

func TestConform(t *testing.T) {
	for _, per := range []string{"rank", "gang"} {
		t.Run(per, func(t *testing.T) {
			plugintest.Conform(t, Framework{}, job(t, map[string]any{"command": []string{"true"}, "per": per}), plugintest.Options{})
		})
	}
}

// TestEnvironment holds what scripts read of their place.
func TestEnvironment(t *testing.T) {
	s := job(t, map[string]any{"slots": 2, "env": map[string]string{"GREETING": "hello"}, "script": script(
		`env | sort > $CAPSTAN_SHARED/env.$CAPSTAN_RANK`, `cat $PBS_NODEFILE > $CAPSTAN_SHARED/hosts.$CAPSTAN_RANK`)})
	s.Gang.Size = 2
	g := plugintest.NewGang(t, Framework{}, s, plugintest.Options{})
	if _, err := g.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	vars := strings.Split(read(t, g.Shared()+"/env.1"), "\n")
	for _, want := range []string{
		"CAPSTAN_JOB=test", "CAPSTAN_RANK=1", "CAPSTAN_SIZE=2", "CAPSTAN_NODE=test", "GREETING=hello",
		"SLURM_JOB_ID=test", "SLURM_JOB_NAME=test", "SLURM_PROCID=1", "SLURM_LOCALID=1", "SLURM_NODEID=0", "SLURM_NTASKS=4", "SLURM_NNODES=1",
		"SLURM_JOB_NODELIST=test", "SLURM_CPUS_ON_NODE=2", "SLURM_CPUS_PER_TASK=1", "SLURM_MEM_PER_NODE=64",
		"PBS_JOBID=test", "PBS_NP=4", "PBS_NUM_PPN=2", "PBS_ENVIRONMENT=PBS_BATCH",
	} {
		if !slices.Contains(vars, want) {
			t.Errorf("no %s in %q", want, vars)
		}
	}
	for _, v := range vars {
		if strings.HasPrefix(v, "CAPSTAN_BOOTSTRAP") {
			t.Errorf("the program sees %s", v)
		}
	}
	if hosts := read(t, g.Shared()+"/hosts.0"); hosts != "test\ntest\ntest\ntest\n" {
		t.Errorf("host file %q", hosts)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		name         string
		body         map[string]any
		kind         core.ErrKind
		what, detail string
	}{
		{"exit code", map[string]any{"script": script("echo first >&2", "echo last >&2", "exit 7")}, core.Failed, "the script ended with exit status 7", "first\nlast"},
		{"success codes", map[string]any{"script": script("exit 7"), "success": []int{7}}, "", "", ""},
		{"signal", map[string]any{"script": script("kill -ABRT $$")}, core.Failed, "the script was killed by signal 6 (aborted)", ""},
		{"timeout", map[string]any{"command": []string{"sleep", "1000"}, "timeout": "10ms"}, core.Failed, "sleep took longer than 10ms", ""},
		{"no program", map[string]any{"command": []string{"no-such-program"}, "retries": 3}, core.Invalid, `no-such-program: command "no-such-program" is not in the executor`, ""},
		{"no interpreter", map[string]any{"script": "#!/no/such/shell\n"}, core.Invalid, `the script: command "/no/such/shell" is not in the executor`, ""},
		{"no stdin", map[string]any{"command": []string{"cat"}, "stdin": "/no/such/file"}, core.Invalid, "cat: open spec.stdin: open /no/such/file: no such file or directory", ""},
		{"no folder", map[string]any{"command": []string{"pwd"}, "workdir": "/no/such"}, core.Invalid, "pwd: the working directory /no/such is not in the executor", ""},
		{"shell and arguments", map[string]any{"script": "[ $1 = a ] && [ \"$2\" = 'b c' ]\n", "shell": "/bin/sh -e", "args": []string{"a", "b c"}}, "", "", ""},
		{"tried again", map[string]any{"script": script("[ -e $CAPSTAN_SHARED/once ] || { touch $CAPSTAN_SHARED/once; exit 75; }"), "retries": 1, "retryOn": []int{75}}, "", "", ""},
		{"left behind", map[string]any{"script": script("sleep 1000 &", "exit 0")}, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, err := plugintest.Run(t, Framework{}, job(t, c.body), plugintest.Options{})
			if core.KindOf(err) != c.kind {
				t.Fatalf("ends with %v, want kind %q", err, c.kind)
			}
			if err == nil {
				return
			}
			if e := core.AsError(err); e.What != c.what || e.Detail != c.detail || e.Remedy == "" {
				t.Errorf("says %q with %q and %q", e.What, e.Detail, e.Remedy)
			}
			if report.Preview == nil || len(report.Preview.Rows) != 1 {
				t.Errorf("report %+v", report)
			}
		})
	}
}

// TestStop holds law W2 against a script that is told and one that does not
// listen.
func TestStop(t *testing.T) {
	for _, c := range []struct{ name, trap, exit string }{
		{"listens", "trap 'exit 3' USR1", "3"},
		{"ignores", "trap '' USR1", "signal 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fifo := filepath.Join(t.TempDir(), "ready")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			s := job(t, map[string]any{"signal": map[string]any{"name": "USR1"}, "script": script(c.trap, "echo > "+fifo, "while :; do read x < "+fifo+"; done")})
			s.Gang.Grace = core.Duration(50 * time.Millisecond)
			if c.name == "listens" {
				s.Gang.Grace = core.Duration(time.Hour)
			}
			g := plugintest.NewGang(t, Framework{}, s, plugintest.Options{On: func(g *plugintest.Gang, e core.Event) {
				if _, up := e.(core.GangUp); up {
					go func() {
						_ = read(t, fifo)
						g.Cancel("enough")
					}()
				}
			}})
			report, err := g.Run(t.Context())
			if core.KindOf(err) != core.Cancelled {
				t.Fatalf("ends with %v", err)
			}
			if got := report.Preview.Rows[0][2]; got != c.exit {
				t.Errorf("the script ends with %s, want %s", got, c.exit)
			}
		})
	}
}

// TestGiveWay: a gang that gives way is released, and runs again.
func TestGiveWay(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "ready")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ups := 0
	s := job(t, map[string]any{"script": script(
		"[ -e $CAPSTAN_SHARED/checkpoint ] && exit 0",
		"trap 'touch $CAPSTAN_SHARED/checkpoint; exit 0' TERM", "echo > "+fifo, "while :; do read x < "+fifo+"; done")})
	g := plugintest.NewGang(t, Framework{}, s, plugintest.Options{On: func(g *plugintest.Gang, e core.Event) {
		if _, up := e.(core.GangUp); up {
			if ups++; ups == 1 {
				go func() {
					_ = read(t, fifo)
					g.GiveWay("main", time.Now().Add(20*time.Second))
				}()
			}
		}
	}})
	if _, err := g.Run(t.Context()); err != nil || ups != 2 {
		t.Errorf("came up %d times, ends with %v", ups, err)
	}
}

// TestCancelAfterNotice: a task that may work on for an hour still ends at once
// when its job is cancelled.
func TestCancelAfterNotice(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	g := plugintest.NewGang(t, Framework{}, job(t, map[string]any{"script": script("sleep 1000")}), plugintest.Options{On: func(g *plugintest.Gang, e core.Event) {
		switch e.(type) {
		case core.GangUp:
			go g.GiveWay("main", time.Now().Add(time.Hour))
		case core.GiveWay:
			go g.Cancel("enough")
		}
	}})
	if _, err := g.Run(ctx); core.KindOf(err) != core.Cancelled {
		t.Errorf("ends with %v", err)
	}
}

// TestStreams: a stream is kept in a file of the host, in the store, or both in
// one.
func TestStreams(t *testing.T) {
	st := storetest.Start(t, storetest.Options(t.TempDir()))
	client := storetest.Open(t, st.Access())
	if err := client.EnsureBucket(t.Context(), "kept"); err != nil {
		t.Fatal(err)
	}
	o := plugintest.Options{Store: st.Access(), Size: 2}
	o.Store.Prefix = "kept/attempt/"
	dir := t.TempDir()
	long := strings.Repeat("x", 100_000)
	s := job(t, map[string]any{
		"script": script("echo out $CAPSTAN_RANK", "echo err $CAPSTAN_RANK >&2", "printf "+long),
		"stdout": dir + "/%x-%j-%2t.out", "stderr": "s3://kept/%t.err",
	})
	if _, err := plugintest.Run(t, Framework{}, s, o); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, dir+"/test-test-01.out"), "out 1\n"+long; got != want {
		t.Errorf("kept %d bytes of stdout, want %d", len(got), len(want))
	}
	r, _, err := client.Get(t.Context(), "kept/0.err", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := make([]byte, 100)
	if n, _ := r.Read(b); string(b[:n]) != "err 0\n" {
		t.Errorf("kept %q of stderr", b[:n])
	}

	both := job(t, map[string]any{"script": script("echo one", "echo two >&2"), "stdout": dir + "/both", "stderr": dir + "/both", "stdin": "s3://kept/0.err"})
	o.Size = 1
	if _, err := plugintest.Run(t, Framework{}, both, o); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir+"/both"); got != "one\ntwo\n" {
		t.Errorf("kept %q", got)
	}
	// A second job does not write over it, and says so before it runs.
	_, err = plugintest.Run(t, Framework{}, both, o)
	if e := core.AsError(err); e == nil || e.Kind != core.Invalid || len(e.Diagnostics) != 1 || e.Diagnostics[0].Path != "spec.stdout" {
		t.Errorf("a file that is there: %v", err)
	}
}

// TestArray: each element runs with its index, and the failed ones are named.
func TestArray(t *testing.T) {
	s := job(t, map[string]any{"per": "gang", "script": script(
		`echo $SLURM_JOB_ID $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT $PBS_JOBID > $CAPSTAN_SHARED/el.$CAPSTAN_ARRAY_INDEX`,
		`case $CAPSTAN_ARRAY_INDEX in 4|6) exit 9; esac`)})
	s.Metadata.Array = "0-10:2"
	g := plugintest.NewGang(t, Framework{}, s, plugintest.Options{})
	report, err := g.Run(t.Context())
	if e := core.AsError(err); e == nil || e.Kind != core.Failed || !strings.HasPrefix(e.What, "2 of 6 elements failed: 4-6:2; the first: element ") {
		t.Errorf("ends with %v", err)
	}
	if got := read(t, g.Shared()+"/el.8"); got != "test_8 8/6 test[8]\n" {
		t.Errorf("element 8 says %q", got)
	}
	if c := report.Counters; c["batch/elements ok"] != 4 || c["batch/elements failed"] != 2 {
		t.Errorf("counts %v", c)
	}
	for i, ok := range map[int]bool{0: true, 4: false} {
		if how, has := g.Ended()[core.ElementName("main", int64(i))]; !has || how != ok {
			t.Errorf("element %d ended: %t, ok %t", i, has, how)
		}
	}
	conform := job(t, map[string]any{"command": []string{"true"}})
	conform.Metadata.Array = "1,5-7"
	plugintest.Conform(t, Framework{}, conform, plugintest.Options{})
}
