package framework

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/frameworks/mapreduce/work"
	"github.com/capstan-run/capstan/plugins/plugintest"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.ServeIfChild()
	goleak.VerifyTestMain(m)
}

// bench is a folder of text, the count of its words, and a store.
type bench struct {
	t      *testing.T
	dir    string
	access core.StoreAccess
	store  *store.Client
	want   string // "word TAB count" lines, sorted
	bytes  int64
	n      int
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: t.TempDir()}
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	b.access = s.Access()
	b.store = storetest.Open(t, b.access)
	b.write(12, 3000)
	return b
}

// write makes files of lines of random words.
func (b *bench) write(files, lines int) {
	rnd := rand.New(rand.NewPCG(1, 2))
	counts := map[string]int{}
	if err := os.Mkdir(filepath.Join(b.dir, "in"), 0o755); err != nil {
		b.t.Fatal(err)
	}
	for f := range files {
		var text bytes.Buffer
		for range lines {
			for range rnd.IntN(8) {
				w := fmt.Sprintf("w%d", rnd.IntN(500)*rnd.IntN(4))
				counts[w]++
				text.WriteString(w + " ")
			}
			text.WriteByte('\n')
		}
		b.bytes += int64(text.Len())
		if err := os.WriteFile(filepath.Join(b.dir, "in", fmt.Sprintf("%02d.txt", f)), text.Bytes(), 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
	for _, w := range slices.Sorted(maps.Keys(counts)) {
		b.want += fmt.Sprintf("%s\t%d\n", w, counts[w])
	}
}

// spec is a word count over the bench with an output of its own; change edits
// the body.
func (b *bench) spec(change func(body map[string]any)) core.Spec {
	b.n++
	body := map[string]any{
		"input":   map[string]any{"path": "file://" + b.dir + "/in", "splitSize": "64Ki"},
		"map":     map[string]any{"use": "words"},
		"combine": map[string]any{"use": "sum"},
		"reduce":  map[string]any{"use": "sum"},
		"shuffle": map[string]any{"partitions": 3},
		"output":  map[string]any{"path": fmt.Sprintf("s3://test/out-%d", b.n)},
		"preview": map[string]any{"limit": 5},
	}
	if change != nil {
		change(body)
	}
	text, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	return core.Spec{Kind: Kind, Gang: core.Gang{Size: 2, CPU: 1000, Memory: 512 << 20}, Body: text}
}

func (b *bench) options() plugintest.Options {
	o := plugintest.Options{Store: b.access}
	o.Store.Prefix = fmt.Sprintf("test/attempt-%d/", b.n)
	return o
}

// rows are the lines of a committed result, as the parts lie.
func (b *bench) rows(url string) string {
	b.t.Helper()
	var text bytes.Buffer
	if err := output.Cat(b.t.Context(), b.store, url, &text); err != nil {
		b.t.Fatal(err)
	}
	return text.String()
}

func sorted(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// TestOneAnswer: the same job gives the same rows for any gang, partitions,
// order and place of output.
func TestOneAnswer(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		name   string
		size   int
		change func(map[string]any)
	}{
		{"one executor", 1, nil},
		{"two", 2, nil},
		{"four, one partition", 4, func(m map[string]any) { m["shuffle"] = map[string]any{"by": "first"} }},
		{"seven partitions", 2, func(m map[string]any) { m["shuffle"] = map[string]any{"partitions": 7} }},
		{"in memory", 2, func(m map[string]any) { m["shuffle"] = map[string]any{"durability": "memory"} }},
		{"through the store", 2, func(m map[string]any) { m["shuffle"] = map[string]any{"durability": "s3-sync"} }},
		{"soon in the store", 2, func(m map[string]any) { m["shuffle"] = map[string]any{"durability": "s3-async"} }},
		{"no combine", 2, func(m map[string]any) { delete(m, "combine") }},
		{"no combine, in memory", 2, func(m map[string]any) {
			delete(m, "combine")
			m["shuffle"] = map[string]any{"durability": "memory"}
		}},
		{"to a folder", 2, func(m map[string]any) { m["output"] = map[string]any{"path": "file://" + b.dir + "/out"} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := b.spec(c.change)
			o := b.options()
			o.Size = c.size
			report, err := plugintest.Run(t, New(work.Registry{}), spec, o)
			if err != nil {
				t.Fatal(err)
			}
			if got := sorted(b.rows(report.Output)); got != b.want {
				t.Errorf("%d bytes of rows differ from the %d expected", len(got), len(b.want))
			}
			if report.BytesIn != b.bytes || report.RecordsIn != 12*3000 || report.RecordsOut != int64(strings.Count(b.want, "\n")) {
				t.Errorf("report: %d bytes and %d records in, %d records out", report.BytesIn, report.RecordsIn, report.RecordsOut)
			}
			if report.Preview == nil || len(report.Preview.Rows) != 5 {
				t.Errorf("preview: %+v", report.Preview)
			}
		})
	}
}

func TestRangeIsInTotalOrder(t *testing.T) {
	b := newBench(t)
	spec := b.spec(func(m map[string]any) { m["shuffle"] = map[string]any{"by": "range", "partitions": 4} })
	report, err := plugintest.Run(t, New(work.Registry{}), spec, b.options())
	if err != nil {
		t.Fatal(err)
	}
	if got := b.rows(report.Output); got != b.want {
		t.Error("the parts one after the other are not in order")
	}
	m, err := output.ReadManifest(t.Context(), b.store, report.Output)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Parts {
		if p.Rows == 0 {
			t.Errorf("%s has none of %d rows: the sample was no guide", p.Path, m.Rows)
		}
	}
}

// TestKilledExecutors kills a rank once it has finished a map task, and again
// once another has finished a reduce task.
func TestKilledExecutors(t *testing.T) {
	b := newBench(t)
	o := b.options()
	var once [2]sync.Once
	o.On = func(g *plugintest.Gang, e core.Event) {
		up, rank, ok := said(e)
		switch {
		case !ok || up.Done == nil:
		case up.Done.Task.Phase == task.Map:
			once[0].Do(func() { restart(t, g, rank) })
		case up.Done.Task.Phase == task.Reduce:
			once[1].Do(func() { restart(t, g, 1-rank) })
		}
	}
	report, err := plugintest.Run(t, New(work.Registry{}), b.spec(nil), o)
	if err != nil {
		t.Fatal(err)
	}
	if got := sorted(b.rows(report.Output)); got != b.want {
		t.Error("the rows differ after executors were killed")
	}
	if !strings.Contains(strings.Join(report.Notes, "\n"), "was lost") {
		t.Errorf("notes: %q", report.Notes)
	}
}

// TestDamagedOutput: map output whose file is damaged is read from the store, and
// the report says so.
func TestDamagedOutput(t *testing.T) {
	b := newBench(t)
	o := b.options()
	var once sync.Once
	o.On = func(g *plugintest.Gang, e core.Event) {
		if up, _, ok := said(e); ok && up.Done != nil && up.Done.Index != nil {
			once.Do(func() { damage(t, filepath.Join(g.Shared(), up.Done.Index.Name)) })
		}
	}
	report, err := plugintest.Run(t, New(work.Registry{}), b.spec(func(m map[string]any) {
		m["shuffle"] = map[string]any{"durability": "s3-sync"}
	}), o)
	if err != nil {
		t.Fatal(err)
	}
	if got := sorted(b.rows(report.Output)); got != b.want {
		t.Error("the rows differ after map output was damaged")
	}
	if !strings.Contains(strings.Join(report.Notes, "\n"), "damaged map output was found") {
		t.Errorf("notes: %q", report.Notes)
	}
	if report.ReadFrom["store"] == 0 || report.ReadFrom["local"] == 0 {
		t.Errorf("read by rung: %v", report.ReadFrom)
	}
}

// damage changes a byte of every KiB of a file.
func damage(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	for i := 0; i < len(text); i += 1 << 10 {
		text[i] ^= 1
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Error(err)
	}
}

// TestSavedPlan: a generation that finds neither the executors nor their files
// goes on from what was saved.
func TestSavedPlan(t *testing.T) {
	b := newBench(t)
	spec := b.spec(nil)
	o := b.options()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	o.On = func(_ *plugintest.Gang, e core.Event) {
		if up, _, ok := said(e); ok && up.Done != nil {
			kill()
		}
	}
	first := plugintest.NewGang(t, New(work.Registry{}), spec, o)
	if _, err := first.Run(ctx); err == nil {
		t.Fatal("a killed coordinator reports success")
	}
	// What is planned is not planned again: the input has grown since.
	more := filepath.Join(b.dir, "in", "99.txt")
	if err := os.WriteFile(more, []byte("late late late\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	o.On, o.Saved, o.Generation = nil, first.Saved(), 2
	report, err := plugintest.Run(t, New(work.Registry{}), spec, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := sorted(b.rows(report.Output)); got != b.want {
		t.Error("the second generation gives another answer")
	}
}

func said(e core.Event) (up task.Up, rank int, ok bool) {
	m, ok := e.(core.Message)
	if !ok || task.Decode(m.Data, &up) != nil {
		return up, 0, false
	}
	return up, m.Rank, true
}

func restart(t *testing.T, g *plugintest.Gang, rank int) {
	g.Kill(gangName, rank)
	if err := g.Replace(gangName, rank); err != nil {
		t.Error(err)
	}
}

// TestOutputTaken: what is there is found by Plan in a folder, and by Run in
// the store.
func TestOutputTaken(t *testing.T) {
	b := newBench(t)
	if _, err := plugintest.Run(t, New(work.Registry{}), b.spec(nil), b.options()); err != nil {
		t.Fatal(err)
	}
	b.n--
	if _, err := plugintest.Run(t, New(work.Registry{}), b.spec(nil), b.options()); core.KindOf(err) != core.Conflict {
		t.Errorf("a second job into one output ended with %v", err)
	}
	taken := b.spec(func(m map[string]any) { m["output"] = map[string]any{"path": "file://" + b.dir} })
	_, err := New(work.Registry{}).Plan(t.Context(), &core.Job{Spec: taken})
	if core.KindOf(err) != core.Conflict {
		t.Errorf("plan into a folder that is there: %v", err)
	}
}

// TestLaterAttemptFindsTheResult: an attempt that was fenced after its commit
// did the job.
func TestLaterAttemptFindsTheResult(t *testing.T) {
	b := newBench(t)
	spec := b.spec(nil)
	o := b.options()
	if _, err := plugintest.Run(t, New(work.Registry{}), spec, o); err != nil {
		t.Fatal(err)
	}
	a := &core.Attempt{Job: &core.Job{ID: "test", Spec: spec}, Epoch: 2, Generation: 1, Store: o.Store}
	report, err := New(work.Registry{}).Run(t.Context(), a, nil)
	if err != nil || report.Output != "s3://test/out-1" || report.RecordsOut == 0 {
		t.Errorf("attempt 2 ended with %v and %+v", err, report)
	}
}

func TestConformance(t *testing.T) {
	b := newBench(t)
	spec := b.spec(func(m map[string]any) {
		m["output"] = map[string]any{"path": "s3://test/conform", "ifExists": "replace"}
	})
	plugintest.Conform(t, New(work.Registry{}), spec, b.options())
}
