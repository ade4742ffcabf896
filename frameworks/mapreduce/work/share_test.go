package work

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
)

// sumBody is a job whose combiner is a fold, and whose reduce is code.
const sumBody = `{"input":{"path":"file:///x"},"map":{"use":"identity"},"combine":{"use":"sum"},
	"reduce":{"program":"artifact:x/p","use":"add"},"output":{"path":"file:///y"}}`

// pairsText is lines of so many keys, some of them frequent.
func pairsText(lines, keys int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "k%d\t%d\n", rng.IntN(1+rng.IntN(keys)), i%1000)
	}
	return b.String()
}

// listing is a program that keeps all values, in their order, or adds them.
func listing() Registry {
	texts, numbers := Kinds{Text, Text}, Kinds{Text, Int64}
	return Registry{Reduces: map[string]ReduceFunc{
		"list": {In: texts, Out: texts, New: func(c *Context) (Reducer, error) { return listReducer{c}, nil }},
		"add":  {In: numbers, Out: numbers, New: func(*Context) (Reducer, error) { return addReducer{}, nil }},
	}}
}

type addReducer struct{ noClose }

func (addReducer) Reduce(_ context.Context, g *Group, out Emitter) error {
	key, sum := slices.Clone(g.Key()), int64(0)
	for g.Next() {
		sum += g.Int()
	}
	return out.EmitInt(key, sum)
}

type listReducer struct{ c *Context }

func (r listReducer) Close(_ context.Context, _ Emitter) error {
	if r.c.Name != "reduce" {
		return nil
	}
	side, err := r.c.SideFile("seen")
	if err == nil {
		_, err = fmt.Fprintf(side, "%s of %d in %v\n", r.c.Task, r.c.Parts, emptyDir(r.c.Scratch()))
	}
	return err
}

func emptyDir(dir string) bool {
	list, err := os.ReadDir(dir)
	return err == nil && !slices.ContainsFunc(list, func(e os.DirEntry) bool { return e.Name() == "mine" })
}

func (r listReducer) Reduce(_ context.Context, g *Group, out Emitter) error {
	r.c.Count("test", r.c.Name, 1)
	if err := os.WriteFile(filepath.Join(r.c.Scratch(), "mine"), nil, 0o600); err != nil {
		return err
	}
	key := string(g.Key())
	var all []string
	for g.Next() {
		all = append(all, string(g.Bytes()))
	}
	return out.Emit([]byte(key), []byte(strings.Join(all, " ")))
}

type reduceJob struct {
	body string
	join bool // pairs can be combined
}

// reduceJobs has a job for each way that pairs take to the reduce function.
func reduceJobs() map[string]reduceJob {
	program := `{"input":{"path":"file:///x"},"map":{"use":"identity"},%s"reduce":{"program":"artifact:x/p","use":"list"},"output":{"path":"file:///y"}}`
	combined := `"combine":{"program":"artifact:x/p","use":"list"},`
	return map[string]reduceJob{
		"refolded":                 {wordCount, true},
		"folded":                   {sumBody, true},
		"combined":                 {fmt.Sprintf(program, combined), true},
		"scattered":                {fmt.Sprintf(program, ""), false},
		"copied":                   {`{"input":{"path":"file:///x"},"map":{"use":"identity"},"reduce":{"use":"identity"},"preview":{"limit":3},"output":{"path":"file:///y"}}`, false},
		"compressed":               {strings.Replace(sumBody, `"output"`, `"shuffle":{"compression":"lz4"},"output"`, 1), true},
		"scattered and compressed": {fmt.Sprintf(program, `"shuffle":{"compression":"zstd"},`), false},
		"secondary key":            {strings.Replace(sumBody, `"output"`, `"shuffle":{"partitionFields":1,"order":"descending"},"output"`, 1), true},
	}
}

// TestReadsDoNotShow: the parts, counters and preview of a job are the same
// whether a task reduces one partition or all, and whether partitions are merged
// before or not.
func TestReadsDoNotShow(t *testing.T) {
	for name, c := range reduceJobs() {
		for _, budget := range []int{0, 4 << 10} {
			tr := trial{body: c.body, functions: listing(), text: pairsText(3000, 200), splits: 5, parts: 7, budget: budget}
			want := tr.run(t)
			if len(want.parts) != 7 || want.text == "" {
				t.Fatalf("%s: %d parts", name, len(want.parts))
			}
			tr.together = true
			if d := cmp.Diff(shown(want), shown(tr.run(t))); d != "" {
				t.Errorf("%s, budget %d, together (-want +got):\n%s", name, budget, d)
			}
			if tr.together, tr.merged = false, true; !c.join {
				continue
			}
			if d := cmp.Diff(want.parts, tr.run(t).parts); d != "" {
				t.Errorf("%s, budget %d, merged (-want +got):\n%s", name, budget, d)
			}
		}
	}
}

// shown is what a user sees of a result. Preview rows are chosen by task, and
// then once more of all.
func shown(r result) []any {
	slices.SortFunc(r.preview, func(a, b task.PreviewRow) int { return strings.Compare(a.Key, b.Key) })
	return []any{r.parts, r.counters, r.side, r.dead}
}

// TestShareIsReadInSteps: more partitions of sources than are opened at once.
func TestShareIsReadInSteps(t *testing.T) {
	tr := trial{body: wordCount, text: pairsText(200, 50), splits: 2, parts: openMost/2 + 3}
	tr.together = true
	if got := tr.run(t); sortedLines(got.text) != countWords(tr.text) || len(got.parts) != tr.parts {
		t.Errorf("%d parts, and another answer than a count", len(got.parts))
	}
}

// TestLostFilesAreAllNamed: a task that reads one partition or several of some
// files tells of all that are gone.
func TestLostFilesAreAllNamed(t *testing.T) {
	for _, partitions := range []int{1, 4} {
		w, _, splits := trial{body: wordCount, text: "a b c\nd e f\ng h i\n", splits: 3}.worker(t)
		var sources []*shuffle.Index
		for i, s := range splits {
			done, failed := w.Run(t.Context(), &task.Run{Task: task.ID{Phase: task.Map, Index: i}, Split: s, Partitions: partitions}, nil)
			if failed != nil {
				t.Fatal(failed.Err.Error())
			}
			sources = append(sources, done.Index)
		}
		for _, i := range []int{0, 2} {
			if err := os.Remove(filepath.Join(w.env.Shared, sources[i].Name)); err != nil {
				t.Fatal(err)
			}
		}
		_, failed := w.Run(t.Context(), &task.Run{Task: task.ID{Phase: task.Reduce}, Partitions: partitions, Hi: partitions, Sources: sources}, nil)
		if failed == nil || failed.Fatal || !slices.Equal(failed.Lost, []task.ID{{Phase: task.Map, Index: 0}, {Phase: task.Map, Index: 2}}) {
			t.Errorf("%d partitions: failed %+v", partitions, failed)
		}
		checkEmpty(t, w)
	}
}
