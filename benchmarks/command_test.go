package benchmarks

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/core"
)

// execute runs the command with args and answers what it printed.
func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	c := Command("test")
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(t.Output())
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

func TestCommandRefusesWhatItCannotRun(t *testing.T) {
	for _, args := range [][]string{
		{"wordcont"},
		{"--sizes", "12"},
		{"--sizes", "much"},
		{"--launchers", "podman"},
		{"--peers", "hadoop"},
		{"--variants", "builtin,perl"},
		{"--repeat", "0"},
		{"--executors", "0"},
		{"gang", "--gang-size", "0"},
		{"skew", "--gangs", "0"},
		{"kill", "--gangs", "2,1"},
		{"files", "--files", "0"},
		{"--from", "no-such.json"},
	} {
		_, err := execute(t, append(args, "--cache", t.TempDir(), "--out", t.TempDir())...)
		if core.KindOf(err) != core.Invalid {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// built is the binary under test, and the module's root.
func built(t *testing.T) (binary, root string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(t.TempDir(), "capstan")
	cmd := exec.Command("go", "build", "-o", binary, ".")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary, root
}

// Every variant and the single-threaded program count 1 MB: Run ends with an
// error unless all answers are right.
func TestRunCountsTheSameInEveryWay(t *testing.T) {
	binary, root := built(t)
	cache := t.TempDir()
	c := Config{Capstan: binary, Version: "test", Module: root, Cache: cache, Workloads: []string{result.WordCount},
		Sizes: []int64{1e6}, Variants: []string{"builtin", "typed", "lines", "awk"}, Launchers: []string{"process"},
		Executors: []int{2}, Repeat: 1, Peers: []string{"single"}, Log: t.Output()}
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range r.Samples {
		got = append(got, s.Series)
		if s.Wall <= 0 || s.CPU <= 0 || s.Input < 900_000 || s.Executors > 0 && s.Workers <= 0 {
			t.Errorf("%+v", s)
		}
	}
	want := []string{result.BuiltIn, result.Typed, result.Lines, result.Combining, result.Single}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	left, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil || len(left) != 1 || !strings.Contains(left[0], "text-") {
		t.Errorf("left in the cache: %v, %v", left, err)
	}
}

func TestCompleteKeepsWhatIsAskedFor(t *testing.T) {
	o := options{sizes: []string{"90MB", "1GB"}, filesSize: "1MB", jobSize: "1MB",
		Config: Config{Executors: []int{3}, Launchers: []string{"process"}, Cache: "cache"}}
	if err := o.complete(t.Context(), []string{"latency", "all"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{3}, o.Executors); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int64{90e6, 1e9}, o.Sizes); diff != "" {
		t.Error(diff)
	}
	if !filepath.IsAbs(o.Cache) || filepath.Base(o.Cache) != "cache" {
		t.Errorf("the cache is %s", o.Cache)
	}
	if !slices.Equal(o.Workloads, result.Workloads()) {
		t.Errorf("%v", o.Workloads)
	}
	for n, want := range map[int][]int{1: {1}, 2: {1, 2}, 6: {1, 2, 4, 6}, 8: {1, 2, 4, 8}} {
		if diff := cmp.Diff(want, upTo(n)); diff != "" {
			t.Error(n, diff)
		}
	}
}
