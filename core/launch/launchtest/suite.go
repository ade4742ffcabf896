package launchtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/capstan-run/capstan/core/launch"
)

// Config is a launcher to be tested.
type Config struct {
	// Open opens a launcher of an instance. It is called again with the same
	// arguments to come back after a Close.
	Open func(t *testing.T, stateDir, instance string) launch.Launcher
	// Kill ends an executor from outside by SIGKILL, as an operator would.
	Kill func(t *testing.T, instance string, a *Agent)
	// Obstruct makes the start of one executor fail when its turn has come.
	Obstruct func(t *testing.T, stateDir, id string)
	// Leftovers names all that the engine still has of an instance.
	Leftovers func(t *testing.T, instance string) []string
	// Contained says that executors live in containers, so that walls and
	// limits are in force.
	Contained bool
}

// Test runs the suite.
func Test(t *testing.T, c Config) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *fixture)
	}{
		{"gang", testGang},
		{"surroundings", testSurroundings},
		{"volumes", testVolumes},
		{"all or none", testAllOrNone},
		{"refused", testRefused},
		{"no program", testNoProgram},
		{"given up", testGivenUp},
		{"stopped while starting", testStoppedWhileStarting},
		{"exit code", testExitCode},
		{"died at once", testDiedAtOnce},
		{"many ends", testManyEnds},
		{"killed", testKilled},
		{"children", testChildren},
		{"reopened", testReopened},
		{"tail", testTail},
		{"stop is silent and idempotent", testStopSilent},
		{"out of memory", contained(testOutOfMemory)},
		{"hostile", contained(testHostile)},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(t, newFixture(t, c))
		})
	}
}

func contained(run func(*testing.T, *fixture)) func(*testing.T, *fixture) {
	return func(t *testing.T, f *fixture) {
		if !f.Contained {
			t.Skip("this engine has no walls")
		}
		run(t, f)
	}
}

// fixture is a launcher of an instance of its own.
type fixture struct {
	Config
	stateDir string
	instance string
	l        launch.Launcher
}

func newFixture(t *testing.T, c Config) *fixture {
	f := &fixture{Config: c, stateDir: t.TempDir(), instance: Instance()}
	// Runs last: after every executor of the test was stopped.
	t.Cleanup(func() {
		if left := c.Leftovers(t, f.instance); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		for _, dir := range []string{"scratch", "executors"} {
			if left, _ := os.ReadDir(filepath.Join(f.stateDir, dir)); len(left) > 0 {
				t.Errorf("left behind in %s: %v", dir, left)
			}
		}
	})
	f.open(t)
	return f
}

// Instance makes up a name for an instance.
func Instance() string {
	return fmt.Sprintf("t%08x", rand.Uint32())
}

func (f *fixture) open(t *testing.T) {
	t.Helper()
	l := f.Open(t, f.stateDir, f.instance)
	f.l = l
	t.Cleanup(func() { closeOnce(t, l) })
}

// reopen closes the launcher and comes back.
func (f *fixture) reopen(t *testing.T) {
	t.Helper()
	closeOnce(t, f.l)
	f.open(t)
	l := f.l
	t.Cleanup(func() { // the starter's own clean-up has a closed launcher
		list, err := l.List(context.Background())
		if err != nil {
			t.Error(err)
		}
		for _, s := range list {
			if err := l.Stop(context.Background(), s.ID); err != nil {
				t.Error(err)
			}
		}
	})
}

func closeOnce(t *testing.T, l launch.Launcher) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// list is List by id.
func (f *fixture) list(t *testing.T) map[string]launch.Status {
	t.Helper()
	all, err := f.l.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]launch.Status{}
	for _, s := range all {
		m[s.ID] = s
	}
	return m
}

// nothing checks that List is empty and that the engine has nothing left.
func (f *fixture) nothing(t *testing.T) {
	t.Helper()
	if list := f.list(t); len(list) > 0 {
		t.Errorf("List shows %v", list)
	}
	if left := f.Leftovers(t, f.instance); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
