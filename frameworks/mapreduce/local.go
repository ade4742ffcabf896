package mapreduce

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/dataset/submit"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/frameworks/mapreduce/work"
	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Result is what a local run made.
type Result struct {
	Parts       [][]byte // the files of the result, in order
	Counters    map[string]int64
	Side        map[string][]byte // side files by name, those of all tasks joined
	DeadLetters []byte            // as JSON lines
}

// Text is the result's files one after the other. Its meaning is that of the
// output format.
func (r *Result) Text() string {
	var b strings.Builder
	for _, p := range r.Parts {
		b.Write(p)
	}
	return b.String()
}

// Local runs a job in this process, task after task, over files: for tests of
// a job's functions. inputs are paths or file:// URLs. Nothing is submitted,
// and nothing but a temporary directory is written. Job.Gang does not matter;
// the number of partitions is that of Job.Shuffle, default 1.
func Local(ctx context.Context, job Job, inputs ...string) (*Result, error) {
	if err := job.Validate(); err != nil {
		return nil, err
	}
	for _, p := range inputs {
		u, err := submit.URL(p)
		if err != nil {
			return nil, err
		}
		job.Input.Path = append(job.Input.Path[:len(job.Input.Path):len(job.Input.Path)], u)
	}
	if job.Output.Path == "" {
		job.Output.Path = "file:///local"
	}
	dir, err := os.MkdirTemp("", "mapreduce-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	l, err := newLocal(job, dir)
	if err != nil {
		return nil, err
	}
	return l.run(ctx)
}

// LocalText is [Local] over lines of text.
func LocalText(ctx context.Context, job Job, text string) (*Result, error) {
	f, err := os.CreateTemp("", "mapreduce-*.txt")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	if _, err := f.WriteString(text); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return Local(ctx, job, f.Name())
}

// local is one local run.
type local struct {
	job    Job
	body   *spec.Body
	worker *work.Worker
	store  *localStore
	parts  int
	result *Result
}

func newLocal(job Job, dir string) (*local, error) {
	doc, err := json.Marshal(job.body("program"))
	if err != nil {
		return nil, err
	}
	body, err := spec.Parse(doc)
	if err != nil {
		return nil, err
	}
	env := &core.Env{
		Rank: core.Rank{Job: core.JobID(job.Name), Epoch: 1, Gang: "main"}, Size: 1, CPU: 1000, Memory: job.Gang.Memory,
		Shared: filepath.Join(dir, "shared"), Scratch: filepath.Join(dir, "scratch"), Files: filepath.Join(dir, "files"),
		Log: slog.New(slog.DiscardHandler), Store: core.StoreAccess{Prefix: "local/"},
	}
	for _, d := range []string{env.Shared, env.Scratch, env.Files} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return nil, err
		}
	}
	for _, f := range job.Files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, err
		}
		if err := os.Symlink(abs, filepath.Join(env.Files, filepath.Base(f))); err != nil {
			return nil, err
		}
	}
	l := &local{job: job, body: body, store: &localStore{objects: map[string][]byte{}},
		result: &Result{Counters: map[string]int64{}, Side: map[string][]byte{}}}
	if body.Reduce != nil {
		l.parts = max(1, body.Shuffle.Partitions)
	}
	l.worker, err = work.NewWith(env, body, job.Functions(), l.store)
	return l, err
}

func (l *local) run(ctx context.Context) (*Result, error) {
	files, err := input.List(ctx, l.body.Input, nil)
	if err != nil {
		return nil, err
	}
	splits, err := input.Plan(ctx, files, input.PlanOptionsOf(l.body.Input, nil, 1))
	if err != nil {
		return nil, err
	}
	bounds, err := l.bounds(ctx, splits)
	if err != nil {
		return nil, err
	}
	var sources []*shuffle.Index
	for i, s := range splits {
		done, err := l.task(ctx, &task.Run{Task: task.ID{Phase: task.Map, Index: i}, Split: s, Partitions: l.parts, Bounds: bounds})
		if err != nil {
			return nil, err
		}
		if done.Index != nil {
			sources = append(sources, done.Index)
		}
	}
	for p := range l.parts {
		if _, err := l.task(ctx, &task.Run{Task: task.ID{Phase: task.Reduce, Index: p}, Partitions: l.parts, Lo: p, Hi: p + 1, Sources: sources}); err != nil {
			return nil, err
		}
	}
	return l.result, nil
}

// bounds samples the keys of a range shuffle.
func (l *local) bounds(ctx context.Context, splits []input.Split) ([][]byte, error) {
	if l.body.Shuffle.By != "range" || l.parts < 2 {
		return nil, nil
	}
	var keys [][]byte
	for i, s := range splits {
		done, failed := l.worker.Run(ctx, &task.Run{Task: task.ID{Phase: task.Sample, Index: i}, Split: s, Partitions: l.parts}, nil)
		if failed != nil {
			return nil, &failed.Err
		}
		keys = append(keys, done.Keys...)
	}
	return work.Bounds(l.body, l.job.Functions(), keys, l.parts)
}

// task runs one task and adds what it made to the result.
func (l *local) task(ctx context.Context, r *task.Run) (*task.Done, error) {
	done, failed := l.worker.Run(ctx, r, nil)
	if failed != nil {
		return nil, &failed.Err
	}
	for name, n := range done.Counters {
		l.result.Counters[name] += n
	}
	for _, p := range done.Parts {
		l.result.Parts = append(l.result.Parts, l.store.objects[p.Object])
	}
	for _, p := range done.SideParts {
		b := l.store.objects[p.Object]
		if p.Kind == output.DeadLetter {
			l.result.DeadLetters = append(l.result.DeadLetters, b...)
			continue
		}
		name := strings.TrimSuffix(p.Name, fmt.Sprintf("-%s-%05d", r.Task.Phase, r.Task.Index))
		l.result.Side[name] = append(l.result.Side[name], b...)
	}
	return done, nil
}

// localStore takes the parts of a local run. Nothing else is asked of it: a
// local job's input is files, and its exchange stays on disk.
type localStore struct {
	work.Store
	mu      sync.Mutex
	objects map[string][]byte
}

func (s *localStore) Put(_ context.Context, path string, r io.Reader, size int64, _ store.PutOptions) (store.Info, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return store.Info{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[path] = b
	return store.Info{Size: size}, nil
}
