package work

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
)

// watcher counts groups and values, and cancels its own task at the first value.
type watcher struct {
	noClose
	cancel         context.CancelFunc
	groups, values int
}

func (w *watcher) Reduce(_ context.Context, g *Group, _ Emitter) error {
	w.groups++
	for g.Next() {
		w.values++
		w.cancel()
	}
	return nil
}

// TestReduceHearsThatItIsCancelled, whether the input is one group or many: an
// executor whose try goes on after a cancel is ended.
func TestReduceHearsThatItIsCancelled(t *testing.T) {
	const pairs = 3 * batchRows
	var many strings.Builder
	for i := range pairs {
		fmt.Fprintf(&many, "%06d\tv\n", i)
	}
	for name, text := range map[string]string{"one group": strings.Repeat("k\tv\n", pairs), "many groups": many.String()} {
		ctx, cancel := context.WithCancel(t.Context())
		seen := &watcher{cancel: cancel}
		kinds := Kinds{Text, Text}
		tr := trial{text: text, functions: Registry{Reduces: map[string]ReduceFunc{"watch": {In: kinds, Out: kinds,
			New: func(*Context) (Reducer, error) { return seen, nil }}}},
			body: `{"input":{"path":"file:///x"},"map":{"use":"identity"},"reduce":{"program":"artifact:x/p","use":"watch"},"output":{"path":"file:///y"}}`}
		w, _, splits := tr.worker(t)
		done, failed := w.Run(ctx, &task.Run{Task: task.ID{Phase: task.Map}, Split: splits[0], Partitions: 1}, nil)
		if failed != nil {
			t.Fatal(failed.Err.Error())
		}
		told := 0
		_, failed = w.Run(ctx, &task.Run{Task: task.ID{Phase: task.Reduce}, Partitions: 1, Hi: 1, Sources: []*shuffle.Index{done.Index}},
			func(task.Progress) { told++ })
		if failed == nil || failed.Err.Kind != core.Cancelled {
			t.Errorf("%s: a cancelled try ended with %+v", name, failed)
		}
		if name == "many groups" && seen.groups != 1 || seen.values > 2*batchRows {
			t.Errorf("%s: it went on for %d groups and %d values", name, seen.groups, seen.values)
		}
		if name == "one group" && told == 0 {
			t.Errorf("%s: it told of no progress", name)
		}
		cancel()
	}
}

// TestAliveIsNews: what is told must differ from what was told before, or it is
// not passed on.
func TestAliveIsNews(t *testing.T) {
	var told []task.Progress
	alive := &try{run: &task.Run{}, state: &tryState{}, progress: func(p task.Progress) { told = append(told, p) }}
	alive.alive()
	alive.alive()
	if len(told) != 2 || told[0] == told[1] || told[0] == (task.Progress{}) {
		t.Errorf("two signs of life became %+v", told)
	}
}

func TestReadBytesDoesNotOverflow(t *testing.T) {
	done := &task.Done{BytesIn: 1 << 40, RecordsIn: 1 << 36}
	if got := readBytes(done, 1<<35); got != 1<<39 {
		t.Errorf("half of a tebibyte is %d bytes", got)
	}
}

// TestOpenRunsAreWithinTheBudget: of partitions that are read into memory a task
// holds as many at once as its budget has room for.
func TestOpenRunsAreWithinTheBudget(t *testing.T) {
	body := reduceJobs()["combined"].body
	w, _, splits := trial{body: body, functions: listing(), text: pairsText(20000, 2000), splits: 20}.worker(t)
	var sources []*shuffle.Index
	total, largest := int64(0), int64(0)
	for i, s := range splits {
		done, failed := w.Run(t.Context(), &task.Run{Task: task.ID{Phase: task.Map, Index: i}, Split: s, Partitions: 1}, nil)
		if failed != nil {
			t.Fatal(failed.Err.Error())
		}
		sources = append(sources, done.Index)
		total, largest = total+done.Index.Bytes(), max(largest, done.Index.Bytes())
	}
	w.budget = int(total) / 5
	r, err := newTry(w, &task.Run{Task: task.ID{Phase: task.Reduce}, Partitions: 1, Hi: 1, Sources: sources}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.clean()
	runs, err := r.openSources(t.Context(), &task.Done{})
	if err != nil {
		t.Fatal(err)
	}
	if held := w.rungs.metrics.Held.Load(); held == 0 || held > int64(w.budget)+largest {
		t.Errorf("%d bytes are held of %d, with a budget of %d", held, total, w.budget)
	}
	if err := closeRuns(runs); err != nil {
		t.Fatal(err)
	}
	if held := w.rungs.metrics.Held.Load(); held != 0 {
		t.Errorf("%d bytes are held by closed runs", held)
	}
}
