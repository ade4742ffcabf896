package work

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/store"
)

// memoryStore keeps objects in memory: parts, and exchange files.
type memoryStore struct {
	Store
	full    bool // it takes nothing
	mu      sync.Mutex
	objects map[string][]byte
}

func (s *memoryStore) Put(_ context.Context, path string, r io.Reader, size int64, _ store.PutOptions) (store.Info, error) {
	if s.full {
		return store.Info{}, errors.New("no room")
	}
	b, err := io.ReadAll(r)
	if err == nil && int64(len(b)) != size {
		err = fmt.Errorf("put %s: %d bytes, not %d", path, len(b), size)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects == nil {
		s.objects = map[string][]byte{}
	}
	s.objects[path] = b
	return store.Info{}, err
}

func (s *memoryStore) PutFile(_ context.Context, path, file string, _ store.PutOptions) (store.Info, error) {
	b, err := os.ReadFile(file)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects == nil {
		s.objects = map[string][]byte{}
	}
	s.objects[path] = b
	return store.Info{}, err
}

func (s *memoryStore) ReadRanges(_ context.Context, path string, ranges []store.Range, into [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.objects[path]
	if !ok {
		return fmt.Errorf("read %s: %w", path, os.ErrNotExist)
	}
	for i, r := range ranges {
		copy(into[i], b[r.Off:r.Off+r.Len])
	}
	return nil
}

// trial runs a whole job in this process, task after task.
type trial struct {
	body      string // YAML is JSON here
	functions Registry
	text      string
	splits    int
	parts     int
	memory    core.Bytes
	budget    int // bytes, overrides memory's share
	buffer    int
	files     string // Env.Files
	together  bool   // one task reduces all partitions
	merged    bool   // partitions are merged in two parts before
	// durability overrides the body's; lost removes the map outputs' files before
	// they are read; shm, if not 0, is how many bytes shared memory has.
	durability string
	lost       bool
	shm        int64
}

type result struct {
	text     string // all result parts, in order
	parts    []string
	counters map[string]int64
	preview  []task.PreviewRow
	dead     string
	side     map[string]string
	spills   int
	done     []*task.Done
	onDisk   int // exchange files of map tasks
	inMemory int
}

func (tr trial) run(t testing.TB) result {
	t.Helper()
	r, failed := tr.try(t)
	if failed != nil {
		t.Fatalf("%s: %v\n%s", failed.Task, failed.Err.Error(), failed.Err.Detail)
	}
	return r
}

func (tr trial) worker(t testing.TB) (*Worker, *memoryStore, []input.Split) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "in.txt")
	if err := os.WriteFile(file, []byte(tr.text), 0o644); err != nil {
		t.Fatal(err)
	}
	env := &core.Env{Memory: tr.memory, CPU: 1000, Shared: filepath.Join(dir, "shared"), Shm: filepath.Join(dir, "shm"), Scratch: filepath.Join(dir, "scratch"),
		Files: tr.files, Log: slog.New(slog.DiscardHandler), Rank: core.Rank{Job: "trial", Epoch: 1}, Size: 1}
	env.Store.Prefix = "capstan/jobs/trial/1/"
	for _, d := range []string{env.Shared, env.Shm, env.Scratch} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	body, err := spec.Parse(json.RawMessage(tr.body))
	if err != nil {
		t.Fatal(err)
	}
	if tr.durability != "" {
		body.Shuffle.Durability = tr.durability
	}
	st := &memoryStore{}
	w, err := NewWith(env, body, tr.functions, st)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if tr.budget > 0 {
		w.budget = tr.budget
	}
	if tr.shm > 0 {
		w.files.memory.Bound = tr.shm
	}
	var splits []input.Split
	n := max(tr.splits, 1)
	size := int64(len(tr.text))
	for i := range n {
		from, to := size*int64(i)/int64(n), size*int64(i+1)/int64(n)
		splits = append(splits, input.Split{Bytes: to - from, Ranges: []input.Range{{
			File: input.File{URL: "file://" + file, Size: size}, Offset: from, Length: to - from}}})
	}
	return w, st, splits
}

func (tr trial) try(t testing.TB) (result, *task.Failed) {
	t.Helper()
	w, st, splits := tr.worker(t)
	r := result{counters: map[string]int64{}, side: map[string]string{}}
	parts := max(tr.parts, 1)
	if w.plan.newReducer == nil {
		parts = 0
	}
	var bounds [][]byte
	if w.plan.body.Shuffle.By == "range" {
		var keys [][]byte
		for i, s := range splits {
			done, failed := w.Run(t.Context(), &task.Run{Task: task.ID{Phase: task.Sample, Index: i}, Split: s, Partitions: parts}, nil)
			if failed != nil {
				return r, failed
			}
			keys = append(keys, done.Keys...)
		}
		var err error
		if bounds, err = Bounds(w.plan.body, tr.functions, keys, parts); err != nil {
			t.Fatal(err)
		}
	}
	var sources []*shuffle.Index
	for i, s := range splits {
		done, failed := w.Run(t.Context(), &task.Run{Task: task.ID{Phase: task.Map, Index: i}, Split: s, Partitions: parts, Bounds: bounds}, nil)
		if failed != nil {
			checkEmpty(t, w)
			return r, failed
		}
		r.add(done, st)
		if done.Index != nil {
			sources = append(sources, done.Index)
		}
	}
	r.onDisk, r.inMemory = filesIn(t, w.env.Shared), filesIn(t, w.env.Shm)
	if tr.lost {
		tr.lose(t, w, sources)
	}
	step := 1
	if tr.together {
		step = max(1, parts)
	}
	for p := 0; p < parts; p += step {
		reads := tr.slices(t, sources, p, p+step)
		if tr.merged {
			var failed *task.Failed
			if reads, failed = tr.merge(t, w, &r, st, reads, p, parts); failed != nil {
				return r, failed
			}
		}
		done, failed := w.Run(t.Context(), &task.Run{Task: task.ID{Phase: task.Reduce, Index: p}, Partitions: parts, Lo: p, Hi: p + step, Sources: reads}, nil)
		if failed != nil {
			checkEmpty(t, w)
			return r, failed
		}
		r.add(done, st)
	}
	checkEmpty(t, w)
	return r, nil
}

// lose removes the files of map outputs, once they are where they have to be.
func (tr trial) lose(t testing.TB, w *Worker, sources []*shuffle.Index) {
	t.Helper()
	if w.files.uploads != nil {
		if err := w.files.uploads.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range sources {
		if err := os.Remove(filepath.Join(w.env.Shared, x.Name)); err != nil {
			t.Fatal(err)
		}
	}
}

func filesIn(t testing.TB, dir string) int {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func (tr trial) slices(t testing.TB, sources []*shuffle.Index, lo, hi int) []*shuffle.Index {
	t.Helper()
	var list []*shuffle.Index
	for _, x := range sources {
		s, err := x.SliceRange(lo, hi)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// merge merges the first half of the slices of partition p, and the others.
func (tr trial) merge(t testing.TB, w *Worker, r *result, st *memoryStore, slices []*shuffle.Index, p, parts int) ([]*shuffle.Index, *task.Failed) {
	t.Helper()
	var merged []*shuffle.Index
	half := len(slices) / 2
	for n, some := range [][]*shuffle.Index{slices[:half], slices[half:]} {
		done, failed := w.Run(t.Context(), &task.Run{Task: task.ID{Phase: task.Merge, Index: 2*p + n}, Partitions: parts, Lo: p, Hi: p + 1, Sources: some}, nil)
		if failed != nil {
			return nil, failed
		}
		r.add(done, st)
		if done.Index.First != p || done.Index.Total != parts {
			t.Fatalf("a merge of partition %d of %d has partition %d of %d", p, parts, done.Index.First, done.Index.Total)
		}
		merged = append(merged, done.Index)
	}
	return merged, nil
}

// checkEmpty holds the worker to leaving nothing in scratch space.
func checkEmpty(t testing.TB, w *Worker) {
	t.Helper()
	left, err := os.ReadDir(w.env.Scratch)
	if err != nil || len(left) > 0 {
		t.Fatalf("scratch space after the tasks: %v, %v", left, err)
	}
}

func (r *result) add(done *task.Done, st *memoryStore) {
	r.done = append(r.done, done)
	for k, n := range done.Counters {
		r.counters[k] += n
	}
	r.preview = append(r.preview, done.Preview...)
	for _, p := range done.Parts {
		text := string(st.objects[p.Object])
		r.text += text
		r.parts = append(r.parts, text)
	}
	for _, p := range done.SideParts {
		if p.Kind == output.DeadLetter {
			r.dead += string(st.objects[p.Object])
			continue
		}
		r.side[p.Name] += string(st.objects[p.Object])
	}
}

func sortedLines(s string) string {
	lines := strings.SplitAfter(s, "\n")
	sort.Strings(lines)
	return strings.Join(lines, "")
}

func countWords(s string) string {
	counts := map[string]int{}
	for _, w := range strings.Fields(s) {
		counts[w]++
	}
	var b bytes.Buffer
	for w, n := range counts {
		fmt.Fprintf(&b, "%s\t%d\n", w, n)
	}
	return sortedLines(b.String())
}

// runCancelled runs a map task and cancels it once its script was given input.
func runCancelled(t *testing.T, w *Worker, splits []input.Split) (*task.Done, *task.Failed) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	return w.Run(ctx, &task.Run{Task: task.ID{Phase: task.Map}, Split: splits[0], Partitions: 1},
		func(task.Progress) { cancel() })
}
