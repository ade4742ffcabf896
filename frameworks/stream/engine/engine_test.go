package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
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

const books = "the quick brown fox\njumps over the lazy dog\n\nthe end\n"

// wordCount counts the words of files: lines → words → counts → out.
func wordCount(t testing.TB, in, out string, tasks int) *topology.Topology {
	t.Helper()
	component := func(id string, role topology.Role, use string, with any) topology.Component {
		b, err := json.Marshal(with)
		if err != nil {
			t.Fatal(err)
		}
		return topology.Component{ID: id, Role: role, Use: use, With: b, Tasks: tasks, At: id}
	}
	top := &topology.Topology{Name: "wordcount", Epoch: 20 * time.Millisecond, Groups: 16,
		Components: []topology.Component{
			component("lines", topology.Source, "lines", operator.LinesWith{Path: in}),
			component("words", topology.Operator, "split", operator.SplitWith{}),
			component("counts", topology.Operator, "count", operator.CountWith{By: []string{"word"}}),
			component("out", topology.Sink, "files", operator.FilesWith{Path: out}),
		},
		Edges: []topology.Edge{
			{From: "lines", To: "words", At: "0"},
			{From: "words", To: "counts", At: "1", Grouping: topology.Grouping{Kind: topology.ByFields, Fields: []string{"word"}}},
			{From: "counts", To: "out", At: "2"},
		}}
	if found := topology.Bind(top, operator.Catalog()); len(found) > 0 {
		t.Fatal(found)
	}
	return top
}

// write writes some files of lines and answers how often each word is in them.
func write(t testing.TB, dir string, files, repeats int) map[string]int {
	t.Helper()
	want := map[string]int{}
	for i := range files {
		text := strings.Repeat(books+fmt.Sprintf("file%d\n", i), repeats)
		for _, w := range strings.Fields(text) {
			want[w]++
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.txt", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return want
}

// check holds the output against what a word count has to have: for each word
// the counts from 1 on, each once.
func check(t testing.TB, out string, want map[string]int) {
	t.Helper()
	got := map[string]map[int]int{}
	paths, err := filepath.Glob(filepath.Join(out, "epoch-*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var row struct {
				Word  string
				Count int
			}
			if err := json.Unmarshal(line, &row); err != nil {
				t.Fatalf("%s: %q: %v", p, line, err)
			}
			if got[row.Word] == nil {
				got[row.Word] = map[int]int{}
			}
			got[row.Word][row.Count]++
		}
	}
	for word, n := range want {
		for i := 1; i <= n; i++ {
			if got[word][i] != 1 {
				t.Fatalf("count %d of %q was written %d times, not once (of %d)", i, word, got[word][i], n)
			}
		}
		if len(got[word]) != n {
			t.Fatalf("%q has %d counts, not %d", word, len(got[word]), n)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d words were counted, not %d", len(got), len(want))
	}
}

func fileURL(elem ...string) string { return "file://" + filepath.Join(elem...) }

func TestRun(t *testing.T) {
	dir := t.TempDir()
	want := write(t, dir, 3, 500)
	top := wordCount(t, fileURL(dir, "*.txt"), fileURL(dir, "out"), 3)
	c := engine.Config{Topology: top, Store: new(snapshot.Memory), Owner: "a"}
	if err := engine.Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	check(t, filepath.Join(dir, "out"), want)
	c.Owner = "b"
	if err := engine.Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	check(t, filepath.Join(dir, "out"), want) // nothing is done twice
}

// A run that is stopped is gone on from, whatever the number of tasks.
func TestGoOn(t *testing.T) {
	dir := t.TempDir()
	want := write(t, dir, 5, 700)
	memory := new(snapshot.Memory)
	for try := 0; ; try++ {
		top := wordCount(t, fileURL(dir, "*.txt"), fileURL(dir, "out"), 1+try%4)
		ctx, cancel := context.WithCancel(t.Context())
		store := &stopping{Store: memory, after: 1, stop: cancel}
		err := engine.Run(ctx, engine.Config{Topology: top, Store: store, Owner: fmt.Sprint("try", try), Batch: 1})
		cancel()
		if err == nil {
			if try < 1 {
				t.Errorf("try %d was done before it was stopped", try)
			}
			break
		}
		if try > 1000 {
			t.Fatal(err)
		}
	}
	check(t, filepath.Join(dir, "out"), want)
}

// stopping ends the run once some epochs were committed.
type stopping struct {
	snapshot.Store
	mu    sync.Mutex
	after int
	stop  func()
}

func (s *stopping) Commit(ctx context.Context, name string, b []byte) error {
	err := s.Store.Commit(ctx, name, b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.after--; s.after == 0 {
		s.stop()
	}
	return err
}

// Whatever crashes, freezes and comes back, and whatever the store refuses, the
// output is that of a run without faults.
func TestLoom(t *testing.T) {
	lives, fenced, epochs := 0, 0, int64(0)
	for seed := range uint64(12) {
		dir := t.TempDir()
		want := write(t, dir, 4, 60)
		top := wordCount(t, fileURL(dir, "*.txt"), fileURL(dir, "out"), 1+int(seed%3))
		loom := engine.Loom{Seed: seed, Crash: 0.001, Freeze: 0.001, Refuse: 0.02}
		woven, err := loom.Run(t.Context(), engine.Config{Topology: top, Store: new(snapshot.Memory), Owner: "loom", Batch: 10})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		check(t, filepath.Join(dir, "out"), want)
		lives, fenced, epochs = lives+woven.Lives, fenced+woven.Fenced, epochs+woven.Epochs
	}
	t.Logf("%d lives, %d of them fenced, %d epochs", lives, fenced, epochs)
	if lives < 36 || fenced == 0 {
		t.Errorf("the faults did not happen: %d lives, %d fenced", lives, fenced)
	}
}

// The same seed gives the same run.
func TestLoomRepeats(t *testing.T) {
	var runs []engine.Woven
	for range 2 {
		dir := t.TempDir()
		write(t, dir, 2, 50)
		top := wordCount(t, fileURL(dir, "*.txt"), fileURL(dir, "out"), 2)
		woven, err := engine.Loom{Seed: 7, Crash: 0.001, Refuse: 0.01}.Run(t.Context(), engine.Config{Topology: top, Store: new(snapshot.Memory), Owner: "x"})
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, woven)
	}
	if !reflect.DeepEqual(runs[0], runs[1]) {
		t.Errorf("%+v\n%+v", runs[0], runs[1])
	}
}

// A second run of the same topology at the same time does no harm: one of them
// ends with a conflict.
func TestTwoRuns(t *testing.T) {
	dir := t.TempDir()
	want := write(t, dir, 4, 1200)
	memory := new(snapshot.Memory)
	errs := make([]error, 2)
	var both sync.WaitGroup
	for i := range errs {
		both.Go(func() {
			top := wordCount(t, fileURL(dir, "*.txt"), fileURL(dir, "out"), 2)
			errs[i] = engine.Run(t.Context(), engine.Config{Topology: top, Store: memory, Owner: fmt.Sprint("run", i), Batch: 20})
		})
	}
	both.Wait()
	for _, err := range errs {
		if err != nil && core.KindOf(err) != core.Conflict {
			t.Fatal(err)
		}
	}
	if errs[0] != nil && errs[1] != nil {
		top := wordCount(t, fileURL(dir, "*.txt"), fileURL(dir, "out"), 2)
		if err := engine.Run(t.Context(), engine.Config{Topology: top, Store: memory, Owner: "last"}); err != nil {
			t.Fatal(err)
		}
	}
	check(t, filepath.Join(dir, "out"), want)
}

// State that the topology has no component for is not dropped in silence.
func TestIncompatible(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, 1, 10)
	memory := new(snapshot.Memory)
	top := wordCount(t, fileURL(dir, "*.txt"), fileURL(dir, "out"), 1)
	if err := engine.Run(t.Context(), engine.Config{Topology: top, Store: memory, Owner: "a"}); err != nil {
		t.Fatal(err)
	}
	other := wordCount(t, fileURL(dir, "*.txt"), fileURL(dir, "out"), 1)
	other.Components[2].ID, other.Edges[1].To, other.Edges[2].From = "totals", "totals", "totals"
	err := engine.Run(t.Context(), engine.Config{Topology: other, Store: memory, Owner: "b"})
	if core.KindOf(err) != core.Conflict || !strings.Contains(err.Error(), `"counts"`) {
		t.Errorf("got %v", err)
	}
	other = wordCount(t, fileURL(dir, "*.txt"), fileURL(dir, "out"), 1)
	other.Groups = 32
	if err := engine.Run(t.Context(), engine.Config{Topology: other, Store: memory, Owner: "c"}); core.KindOf(err) != core.Conflict {
		t.Errorf("got %v", err)
	}
}
