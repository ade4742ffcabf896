package framework_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/spec"
	"github.com/capstan-run/capstan/frameworks/stream/framework"
	"github.com/capstan-run/capstan/plugins/plugintest"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.ServeIfChild()
	goleak.VerifyTestMain(m)
}

// anew gives each attempt a place of its own, so that none finds its work done.
type anew struct {
	framework.Framework
	runs *atomic.Int64
}

func (f anew) Run(ctx context.Context, a *core.Attempt, host core.Host) (core.Report, error) {
	a.Job.Spec.Body = bytes.ReplaceAll(a.Job.Spec.Body, []byte("RUN"), fmt.Append(nil, "run", f.runs.Add(1)))
	return f.Framework.Run(ctx, a, host)
}

// wordCount is a document that counts the words of a file.
func wordCount(path string) core.Spec {
	body := `{"epoch": "30ms", "state": "s3://test/state/RUN", "keyGroups": 16,
		"sources": [{"id": "lines", "use": "lines", "with": {"path": "file://` + path + `"}, "tasks": 2}],
		"operators": [{"id": "words", "use": "split", "from": "lines", "tasks": 3},
			{"id": "counts", "use": "count", "from": {"id": "words", "by": ["word"]}, "with": {"by": ["word"]}, "tasks": 2}],
		"sinks": [{"id": "out", "use": "files", "with": {"path": "s3://test/out/RUN"}, "from": "counts", "tasks": 2}]}`
	return core.Spec{APIVersion: "capstan/v1", Kind: "Stream", Metadata: core.Metadata{Name: "wc"},
		Gang: core.Gang{CPU: 100, Memory: 128 << 20}, Body: json.RawMessage(body)}
}

func write(t *testing.T, lines int) (pattern string, want map[string]int) {
	t.Helper()
	dir := t.TempDir()
	want = map[string]int{}
	for i := range 3 {
		text := strings.Repeat(fmt.Sprintf("the quick brown fox %d\njumps over the lazy dog\n", i), lines/2)
		for _, w := range strings.Fields(text) {
			want[w]++
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".txt")), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "*.txt"), want
}

func TestConform(t *testing.T) {
	client := storetest.Open(t, storetest.Start(t, storetest.Options(t.TempDir())).Access())
	path, _ := write(t, 200)
	plugintest.Conform(t, anew{framework.New(), new(atomic.Int64)}, wordCount(path), plugintest.Options{Store: client.Access()})
}

// check holds the output against what it has to have: for each word the counts
// from 1 on, each once.
func check(t *testing.T, client *store.Client, prefix string, want map[string]int) {
	t.Helper()
	got, rows := map[string]int{}, 0
	for info, err := range client.List(t.Context(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := client.Get(t.Context(), info.Path, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var row struct {
				Word  string
				Count int
			}
			if err := json.Unmarshal(line, &row); err != nil {
				t.Fatal(err)
			}
			got[fmt.Sprint(row.Word, " ", row.Count)]++
			rows++
		}
	}
	total := 0
	for word, n := range want {
		total += n
		for i := 1; i <= n; i++ {
			if got[fmt.Sprint(word, " ", i)] != 1 {
				t.Fatalf("count %d of %q was written %d times, not once", i, word, got[fmt.Sprint(word, " ", i)])
			}
		}
	}
	if rows != total {
		t.Fatalf("%d counts were written, not %d", rows, total)
	}
}

// Whatever executors are lost, the output is that of a gang that loses none.
func TestLosses(t *testing.T) {
	client := storetest.Open(t, storetest.Start(t, storetest.Options(t.TempDir())).Access())
	path, want := write(t, 8_000)
	for _, size := range []int{1, 3} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			doc := wordCount(path)
			doc.Body = bytes.ReplaceAll(doc.Body, []byte("RUN"), fmt.Append(nil, "size", size))
			messages, kills := 0, 0
			o := plugintest.Options{Size: size, Store: client.Access(), On: func(g *plugintest.Gang, e core.Event) {
				switch e := e.(type) {
				case core.Message:
					if messages++; kills < 4 && messages == 5+(size+5)*kills {
						kills++
						go g.Kill("main", kills%size)
					}
				case core.ExecutorLost:
					go func() {
						if err := g.Replace("main", e.Rank); err != nil {
							t.Error(err)
						}
					}()
				}
			}}
			if _, err := plugintest.Run(t, framework.New(), doc, o); err != nil {
				t.Fatal(err)
			}
			if kills < 3 {
				t.Errorf("%d ranks were killed", kills)
			}
			t.Logf("%d kills, %d messages", kills, messages)
			check(t, client, fmt.Sprintf("test/out/size%d/", size), want)
		})
	}
}

// A topology that cannot run on a gang is refused, by line.
func TestRefused(t *testing.T) {
	d := framework.New().Describe()
	doc := "apiVersion: capstan/v1\nkind: Stream\nmetadata: {name: x}\nspec:\n  sources:\n  - {id: s, exec: [x], fields: [a]}\n  sinks:\n  - {id: k, use: files, from: s, with: {path: 'file:///tmp/x'}}\n"
	s, err := spec.ParseChecked([]byte(doc), "doc", []core.Description{d}, framework.New().Check)
	if s != nil || err == nil {
		t.Fatalf("%+v, %v", s, err)
	}
	for _, want := range []string{"spec.state: a topology on a gang has no place", "executors cannot write to file:///tmp/x"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
}

func TestExample(t *testing.T) {
	d := framework.New().Describe()
	s, err := spec.Parse([]byte(d.Example), "example", []core.Description{d})
	if err != nil {
		t.Fatal(err)
	}
	if found := framework.New().Check(s); len(found) > 0 {
		t.Error(found)
	}
}
