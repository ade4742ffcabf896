package process

import (
	"os"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/launchtest"
)

func crashed(t *testing.T) (stateDir, instance string, l *Launcher) {
	t.Helper()
	stateDir, instance = t.TempDir(), launchtest.Instance()
	l, err := New(t.Context(), Config{StateDir: stateDir, Instance: instance})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return stateDir, instance, l
}

func reopened(t *testing.T, stateDir, instance string) *Launcher {
	t.Helper()
	l, err := New(t.Context(), Config{StateDir: stateDir, Instance: instance})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// A host that died after the fork and before the record of it finds its
// executor by its mark.
func TestForkedButNotRecorded(t *testing.T) {
	stateDir, instance, first := crashed(t)
	g := launchtest.NewGang(t, first)
	if err := first.Start(t.Context(), []launch.Executor{g.Executor("r0")}); err != nil {
		t.Fatal(err)
	}
	a := g.Agent("r0")
	first.Close()
	// As the record was before the fork.
	if err := first.write(record{ID: "r0", Labels: map[string]string{"job": "j"}, Started: time.Now()}); err != nil {
		t.Fatal(err)
	}
	l := reopened(t, stateDir, instance)
	list, err := l.List(t.Context())
	if err != nil || len(list) != 1 || !list[0].Running || list[0].Labels["job"] != "j" {
		t.Errorf("List: %+v, %v", list, err)
	}
	if err := l.Stop(t.Context(), "r0"); err != nil {
		t.Fatal(err)
	}
	a.Gone()
}

// A record cut short does not hide its executor: Stop finds it by its mark.
func TestRecordCutShort(t *testing.T) {
	stateDir, instance, first := crashed(t)
	g := launchtest.NewGang(t, first)
	if err := first.Start(t.Context(), []launch.Executor{g.Executor("r0")}); err != nil {
		t.Fatal(err)
	}
	a := g.Agent("r0")
	first.Close()
	if err := os.WriteFile(first.recordPath("r0"), []byte(`{"id":"r`), 0o600); err != nil {
		t.Fatal(err)
	}
	l := reopened(t, stateDir, instance)
	list, err := l.List(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != "r0" {
		t.Errorf("List: %+v, %v", list, err)
	}
	if err := l.Stop(t.Context(), "r0"); err != nil {
		t.Fatal(err)
	}
	a.Gone()
}

// A pid that was used again is not the executor: neither shown as running nor
// killed (law P1). This test's own process plays the other.
func TestPidUsedAgain(t *testing.T) {
	stateDir, instance, first := crashed(t)
	own, err := readStat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for id, p := range map[string]process{
		"other-start": {PID: os.Getpid(), Start: own.start - 1, Boot: first.boot},
		"other-boot":  {PID: os.Getpid(), Start: own.start, Boot: "another"},
	} {
		if err := os.Mkdir(first.dir(id), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := first.write(record{ID: id, Process: p, Started: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	first.Close()
	l := reopened(t, stateDir, instance)
	list, err := l.List(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("List: %+v, %v", list, err)
	}
	for _, s := range list {
		if s.Running || s.Exit.Code != -1 {
			t.Errorf("%+v", s)
		}
	}
	if err := l.Stop(t.Context(), "other-start", "other-boot"); err != nil { // and live
		t.Fatal(err)
	}
}
