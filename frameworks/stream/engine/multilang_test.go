package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/engine"
	"github.com/capstan-run/capstan/frameworks/stream/operator"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// python is where it is; without it the tests are skipped, but for in CI.
func python(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CAPSTAN_REQUIRE_DOCKER") != "" {
			t.Fatal("python3 is not installed")
		}
		t.Skip("SKIPPED: python3 is not installed")
	}
}

// splitting is a word count whose words come from a process.
func splitting(t testing.TB, dir string, env map[string]string, config map[string]any) engine.Config {
	t.Helper()
	python(t)
	top := wordCount(t, fileURL(dir, "*.txt"), fileURL(dir, "out"), 2)
	top.Config = config
	words := top.Component("words")
	words.Use, words.With, words.Exec, words.Env = "", nil, []string{"python3", "split.py"}, env
	words.Outputs = []topology.Output{{Stream: topology.DefaultStream, Fields: []topology.Field{{Name: "word", Type: topology.Text}}}}
	words.OnError = topology.OnError{Policy: "retry"}
	if found := topology.Bind(top, operator.Catalog()); len(found) > 0 {
		t.Fatal(found)
	}
	return engine.Config{Topology: top, Store: new(snapshot.Memory), Owner: "a", Dir: scripts(t), Env: append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"),
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

func scripts(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../multilang/testdata")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Whatever the processes do, the words are counted once each.
func TestProcesses(t *testing.T) {
	for _, c := range []struct {
		mischief string
		env      map[string]string
		config   map[string]any
	}{
		{"", nil, nil},
		{"", map[string]string{"NO_IDS": "1"}, nil},
		{"", nil, map[string]any{"capstan.multilang.ahead": false, "topology.shellbolt.max.pending": 1.0}},
		{"die", nil, nil},
		{"exit", map[string]string{"NO_IDS": "1"}, nil},
		{"hang", map[string]string{"LIMIT": "1"}, map[string]any{"topology.subprocess.timeout.secs": 2.0}},
		{"babble", nil, nil},
		{"stray", nil, nil},
		{"fail", nil, nil},
		{"loose", nil, nil},
		{"batch", map[string]string{"NO_IDS": "1"}, map[string]any{"topology.tick.tuple.freq.secs": 0.05}},
	} {
		t.Run(fmt.Sprint(c.mischief, c.env, c.config), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			want := write(t, dir, 2, 80)
			env := map[string]string{"MISCHIEF": c.mischief, "FOLDER": dir}
			for k, v := range c.env {
				env[k] = v
			}
			if err := engine.Run(t.Context(), splitting(t, dir, env, c.config)); err != nil {
				t.Fatal(err, core.AsError(err).Detail)
			}
			check(t, filepath.Join(dir, "out"), want)
			happened, err := filepath.Glob(filepath.Join(dir, c.mischief+"-*"))
			if err != nil {
				t.Fatal(err)
			}
			switch c.mischief {
			case "", "loose", "batch":
			default:
				if len(happened) == 0 {
					t.Error("the mischief did not happen")
				}
			}
		})
	}
}

// A process that always dies ends the run with its last words, and one that is
// not there with what to do.
func TestProcessRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, 2, 600)
	c := splitting(t, dir, map[string]string{"MISCHIEF": "exit", "FOLDER": dir, "LIMIT": "1000"}, nil)
	c.Topology.Component("words").Exec = []string{"sh", "-c", "read line; read end; printf '{\"pid\": 1}\\nend\\n'; echo so long >&2; exit 7"}
	err := engine.Run(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "exit status 7") || !strings.Contains(core.AsError(err).Detail, "so long") {
		t.Errorf("%v, %s", err, core.AsError(err).Detail)
	}
	c.Topology.Component("words").Exec = []string{"no-such-program"}
	if err := engine.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), `"no-such-program" is not in the executor`) {
		t.Error(err)
	}
}

// A spout's tuples are acked once their epoch is committed, and what it was not
// acked when it died it sends again.
func TestSpout(t *testing.T) {
	for _, die := range []int{0, 150} {
		t.Run(fmt.Sprint(die), func(t *testing.T) {
			python(t)
			dir := t.TempDir()
			notes := filepath.Join(dir, "notes")
			with, _ := json.Marshal(operator.FilesWith{Path: fileURL(dir, "out")})
			top := &topology.Topology{Name: "numbers", Epoch: 50 * time.Millisecond, Groups: 16, Config: map[string]any{"topology.max.spout.pending": 100.0},
				Components: []topology.Component{
					{ID: "spout", Role: topology.Source, Exec: []string{"python3", "spout.py"}, At: "s",
						Env:     map[string]string{"COUNT": "500", "NOTES": notes, "DIE": fmt.Sprint(die)},
						Outputs: []topology.Output{{Stream: "default", Fields: []topology.Field{{Name: "n", Type: topology.Integer}}}}},
					{ID: "out", Role: topology.Sink, Use: "files", With: with, At: "o"},
				}, Edges: []topology.Edge{{From: "spout", To: "out", At: "e"}}}
			if found := topology.Bind(top, operator.Catalog()); len(found) > 0 {
				t.Fatal(found)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			store := &watching{Store: new(snapshot.Memory), stop: cancel, enough: func() bool { return acks(t, notes) == 500 }}
			err := engine.Run(ctx, engine.Config{Topology: top, Store: store, Owner: "a", Dir: scripts(t), Env: append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"),
				Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			seen := numbers(t, filepath.Join(dir, "out"))
			for n := range 500 {
				if seen[n] == 0 || die == 0 && seen[n] != 1 {
					t.Errorf("%d came %d times", n, seen[n])
				}
			}
		})
	}
}

// watching stops the run when there was enough, asked at each commit.
type watching struct {
	snapshot.Store
	once   sync.Once
	enough func() bool
	stop   func()
}

func (s *watching) Commit(ctx context.Context, name string, b []byte) error {
	if s.enough() {
		s.once.Do(s.stop)
	}
	return s.Store.Commit(ctx, name, b)
}

func acks(t *testing.T, notes string) int {
	b, err := os.ReadFile(notes)
	if err != nil {
		t.Error(err)
	}
	different := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "ack ") {
			different[line] = true
		}
	}
	return len(different)
}

func numbers(t *testing.T, out string) map[int]int {
	t.Helper()
	seen := map[int]int{}
	paths, err := filepath.Glob(filepath.Join(out, "epoch-*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			var row struct{ N int }
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			seen[row.N]++
		}
	}
	return seen
}
