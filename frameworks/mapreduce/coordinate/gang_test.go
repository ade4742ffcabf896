package coordinate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/coordinate"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/frameworks/mapreduce/work"
	"github.com/capstan-run/capstan/shuffle"
)

// gang is an in-process host with its executors: real loops around a run
// function of the test, and a store that holds one commit. It lives in a
// synctest bubble, where a goroutine left behind fails the test.
type gang struct {
	t          *testing.T
	run        work.RunFunc
	splits     int
	partitions int
	ranged     bool
	listErr    error
	commitErr  error

	mu         sync.Mutex
	events     chan core.Event // of the generation at work
	generation int64
	stop       context.CancelCauseFunc
	saved      []byte
	up         bool
	ranks      []*executor
	progress   []core.Progress
	committed  *coordinate.Result
	commits    int

	steps  int // things done by coordinator or workers so far
	killAt int // the step at which who dies; 0: none
	before bool
	victim int // -1: the coordinator, else a rank
}

type executor struct {
	inbox chan []byte
	stop  context.CancelFunc
	ended chan struct{}
	sent  int64 // generation of the last message it got
}

var errKilled = errors.New("the coordinator was killed")

func newGang(t *testing.T, size int) *gang {
	g := &gang{t: t, run: runTask, splits: 5, partitions: 3, victim: -1}
	g.ranks = make([]*executor, size)
	return g
}

// runTask is what workers do: each answer follows from the orders alone.
func runTask(ctx context.Context, run *task.Run, progress func(task.Progress)) (*task.Done, *task.Failed) {
	select {
	case <-time.After(time.Duration(50+10*run.Task.Index) * time.Millisecond):
	case <-ctx.Done():
		return nil, nil
	}
	progress(task.Progress{Bytes: 5})
	d := &task.Done{RecordsIn: 10, DeadLetters: 1, Counters: map[string]int64{"rows/" + string(run.Task.Phase): 10}, CPUNanos: 1}
	name := fmt.Sprintf("%s.%d", run.Task, run.Try)
	if run.Task.Phase == task.Reduce {
		d.DeadLetters = 0
	}
	switch {
	case run.Task.Phase == task.Sample:
		d.Keys = [][]byte{{byte('a' + run.Task.Index)}}
	case run.Task.Phase == task.Map && run.Partitions > 0:
		d.Index = &shuffle.Index{Version: shuffle.Version, Name: name + ".x", Size: 100, Total: run.Partitions}
		for p := range run.Partitions {
			d.Index.Partitions = append(d.Index.Partitions, shuffle.Partition{Length: 8, Rows: 1, RowHash: uint64(100*run.Task.Index + p)})
		}
	default:
		for p := run.Lo; p < run.Hi; p++ {
			rows := int64(len(run.Sources))
			d.RecordsOut += rows
			d.Parts = append(d.Parts, output.Part{Kind: output.Result, Name: fmt.Sprintf("part-%05d.txt", p), Object: name, Rows: rows, Bytes: 10, Ordinal: p})
		}
		d.Preview = []task.PreviewRow{{Key: fmt.Sprint(run.Task.Index), Value: "1", Num: 1, IsNum: true}}
	}
	return d, nil
}

// dies counts a step and kills whoever is to die at it. It returns true where
// the step must not be done.
func (g *gang) dies(who int) bool {
	g.mu.Lock()
	g.steps++
	hit := g.killAt == g.steps && (g.victim == who || g.victim == -1)
	g.mu.Unlock()
	if !hit {
		return false
	}
	if g.victim == -1 {
		g.stop(errKilled)
		return g.before
	}
	return true
}

func (g *gang) Events() <-chan core.Event { return g.events }

func (g *gang) WantGang(ask core.GangAsk) error {
	if g.dies(-1) {
		return errKilled
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	e := core.GangUp{Gang: ask.Name, Size: len(g.ranks), Resumed: g.up && g.generation > 1}
	if !g.up {
		g.up = true
		for r := range g.ranks {
			g.start(r)
		}
	}
	g.events <- e
	return nil
}

func (g *gang) ReleaseGang(string) error { return nil }

func (g *gang) EndGang(string, bool) error { return nil }
func (g *gang) Answer(core.Answer) error   { return nil }

func (g *gang) Send(_ string, rank int, msg []byte) error {
	if g.dies(-1) {
		return nil
	}
	g.mu.Lock()
	x := g.ranks[rank]
	if x != nil {
		x.sent = g.generation
	}
	g.mu.Unlock()
	if x != nil {
		x.inbox <- msg
	}
	return nil
}

func (g *gang) Report(p core.Progress) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.progress = append(g.progress, p)
}

func (g *gang) Save(_ context.Context, state []byte) error {
	if g.dies(-1) {
		return errKilled
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.saved = state
	return nil
}

// start starts the executor of a rank; g.mu is held.
func (g *gang) start(r int) {
	ctx, stop := context.WithCancel(g.t.Context())
	x := &executor{inbox: make(chan []byte, 1000), stop: stop, ended: make(chan struct{})}
	g.ranks[r] = x
	env := &core.Env{
		Rank: core.Rank{Rank: r}, Size: len(g.ranks), CPU: 1000, Shared: g.t.TempDir(), Inbox: x.inbox,
		Log:  slog.New(slog.DiscardHandler),
		Spec: core.Spec{Body: json.RawMessage(`{"input":{"path":"file:///in"},"map":{"use":"words"},"output":{"path":"file:///out"}}`)},
		Send: func(ctx context.Context, msg []byte) error {
			g.said(ctx, r, x, msg)
			return ctx.Err()
		},
	}
	go func() {
		defer close(x.ended)
		if err := work.Loop(ctx, env, g.run); err != nil {
			g.t.Errorf("rank %d: %v", r, err)
		}
	}()
}

// said brings a worker's message to the coordinator it is meant for (law C4).
func (g *gang) said(ctx context.Context, r int, x *executor, msg []byte) {
	if g.dies(r) {
		g.lose(r, x)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if ctx.Err() == nil && g.ranks[r] == x && x.sent == g.generation {
		g.events <- core.Message{Gang: "main", Rank: r, Data: msg}
	}
}

// lose kills an executor and replaces it a second later.
func (g *gang) lose(r int, x *executor) {
	x.stop()
	g.mu.Lock()
	g.ranks[r] = nil
	g.events <- core.ExecutorLost{Gang: "main", Rank: r, Reason: "killed by signal 9 (137)"}
	g.mu.Unlock()
	time.AfterFunc(time.Second, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.t.Context().Err() == nil && g.up {
			g.start(r)
			g.events <- core.ExecutorReplaced{Gang: "main", Rank: r}
		}
	})
}

func (g *gang) list(context.Context) ([]input.Split, error) {
	var splits []input.Split
	for i := range g.splits {
		f := input.File{URL: fmt.Sprintf("file:///in/%d", i), Size: 10}
		splits = append(splits, input.Split{Bytes: 10, Ranges: []input.Range{{File: f, Length: 10}}})
	}
	return splits, g.listErr
}

func (g *gang) commit(ctx context.Context, r *coordinate.Result) error {
	if g.dies(-1) {
		return errKilled
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.commits++
	if g.committed != nil {
		if d := cmp.Diff(g.committed.Parts, r.Parts); d != "" {
			g.t.Errorf("committed again with other parts:\n%s", d)
		}
	}
	g.committed = r
	return errors.Join(context.Cause(ctx), g.commitErr)
}

// generate runs one generation of the coordinator.
func (g *gang) generate() (core.Report, error) {
	g.mu.Lock()
	g.generation++
	g.events = make(chan core.Event, 10000)
	ctx, stop := context.WithCancelCause(g.t.Context())
	g.stop = stop
	saved := g.saved
	g.mu.Unlock()
	defer stop(nil)
	return coordinate.Run(ctx, coordinate.Attempt{
		Config: coordinate.Config{
			Slots: 1, Attempts: 4, Timeout: time.Minute, Speculation: true, Range: g.ranged,
			Preview:  &spec.Preview{Limit: 20, By: "value", Order: "descending"},
			FirstTry: int(g.generation-1) << 16,
		},
		Gang:       core.GangAsk{Name: "main", Gang: core.Gang{Size: len(g.ranks), CPU: 500}},
		Partitions: func(int64) int { return g.partitions },
		Saved:      saved,
		Output:     "s3://results/x",
		Log:        slog.New(slog.DiscardHandler),
		List:       g.list,
		Commit:     g.commit,
	}, g)
}

// attempt runs generations until one is not killed, then ends the executors.
func (g *gang) attempt() (core.Report, error) {
	defer g.close()
	for {
		report, err := g.generate()
		if !errors.Is(err, errKilled) {
			return report, err
		}
	}
}

func (g *gang) close() {
	g.mu.Lock()
	g.up = false
	ranks := slices.Clone(g.ranks)
	g.mu.Unlock()
	for _, x := range ranks {
		if x != nil {
			x.stop()
			<-x.ended
		}
	}
	// A replacement that was under way finds that it is over.
	time.Sleep(2 * time.Second)
}

// answer is what must not depend on who was killed when.
type answer struct {
	Parts    []string
	Counters map[string]int64
	In, Out  int64
	Preview  *core.Table
}

func (g *gang) answer(r core.Report) answer {
	a := answer{Counters: r.Counters, In: r.RecordsIn, Out: r.RecordsOut, Preview: r.Preview}
	for _, p := range g.committed.Parts {
		a.Parts = append(a.Parts, fmt.Sprintf("%s: %d rows", p.Name, p.Rows))
	}
	return a
}

func TestGang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGang(t, 2)
		report, err := g.attempt()
		if err != nil {
			t.Fatal(err)
		}
		want := answer{
			Parts:    []string{"part-00000.txt: 5 rows", "part-00001.txt: 5 rows", "part-00002.txt: 5 rows"},
			Counters: map[string]int64{"rows/map": 50, "rows/reduce": 30},
			In:       50, Out: 15,
			Preview: &core.Table{Title: "3 largest by value", Columns: []string{"key", "value"}, Rows: [][]string{{"0", "1"}, {"1", "1"}, {"2", "1"}}},
		}
		if d := cmp.Diff(want, g.answer(report)); d != "" {
			t.Errorf("answer (-want +got):\n%s", d)
		}
		if report.Output != "s3://results/x" || report.Cores != 1 || report.Seconds <= 0 || report.Shuffled != 500 || report.BytesIn != 50 {
			t.Errorf("report %+v", report)
		}
		if !slices.Contains(report.Notes, "5 bad records were set aside: s3://results/x/_dead") {
			t.Errorf("notes %q", report.Notes)
		}
		last := g.progress[len(g.progress)-1].Stages
		if len(last) != 2 || last[0].Done != 5 || last[1].Done != 3 || last[0].BytesDone != 50 {
			t.Errorf("the last progress shown is %+v", last)
		}
	})
}

// TestKilledCoordinator kills the coordinator before and after everything it
// does, once in each run: the answer stays the same (law M7).
func TestKilledCoordinator(t *testing.T) {
	for _, ranged := range []bool{false, true} {
		want, steps := undisturbed(t, ranged)
		for _, before := range []bool{false, true} {
			for at := 1; at <= steps; at++ {
				synctest.Test(t, func(t *testing.T) {
					g := newGang(t, 2)
					g.killAt, g.before, g.ranged = at, before, ranged
					report, err := g.attempt()
					if err != nil {
						t.Fatalf("killed at step %d: %v", at, err)
					}
					if d := cmp.Diff(want, g.answer(report)); d != "" {
						t.Fatalf("killed at step %d, the answer differs:\n%s", at, d)
					}
				})
			}
		}
	}
}

// TestKilledExecutor kills a rank at everything it says.
func TestKilledExecutor(t *testing.T) {
	want, steps := undisturbed(t, false)
	for victim := range 2 {
		for at := 1; at <= steps; at++ {
			synctest.Test(t, func(t *testing.T) {
				g := newGang(t, 2)
				g.killAt, g.victim = at, victim
				report, err := g.attempt()
				if err != nil {
					t.Fatalf("rank %d killed at step %d: %v", victim, at, err)
				}
				if d := cmp.Diff(want, g.answer(report)); d != "" {
					t.Fatalf("rank %d killed at step %d, the answer differs:\n%s", victim, at, d)
				}
			})
		}
	}
}

// undisturbed is the answer of a run without faults, and how many steps it had.
func undisturbed(t *testing.T, ranged bool) (want answer, steps int) {
	synctest.Test(t, func(t *testing.T) {
		g := newGang(t, 2)
		g.ranged = ranged
		report, err := g.attempt()
		if err != nil {
			t.Fatal(err)
		}
		want, steps = g.answer(report), g.steps
	})
	return want, steps
}

func TestFailures(t *testing.T) {
	conflict := core.Errorf(core.Conflict, "the output exists")
	missing := core.Errorf(core.NotFound, "no such file").At("spec.input.path")
	for _, c := range []struct {
		name  string
		setup func(*gang)
		kind  core.ErrKind
	}{
		{"input missing", func(g *gang) { g.listErr = missing }, core.NotFound},
		{"output taken", func(g *gang) { g.commitErr = conflict }, core.Conflict},
		{"bad record", func(g *gang) {
			g.run = func(context.Context, *task.Run, func(task.Progress)) (*task.Done, *task.Failed) {
				return nil, &task.Failed{Fatal: true, Err: core.Error{Kind: core.Failed, What: "not UTF-8"}}
			}
		}, core.Failed},
		{"panic each time", func(g *gang) {
			g.run = func(context.Context, *task.Run, func(task.Progress)) (*task.Done, *task.Failed) { panic("no") }
		}, core.Failed},
		{"saved state of another version", func(g *gang) { g.saved = []byte{99} }, core.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGang(t, 2)
				c.setup(g)
				report, err := g.attempt()
				if core.KindOf(err) != c.kind || report.Output != "" {
					t.Errorf("ended with %q (%v) and output %q, want %q", core.KindOf(err), err, report.Output, c.kind)
				}
			})
		})
	}
}

func TestCancel(t *testing.T) {
	for _, after := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 170 * time.Millisecond, 300 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			g := newGang(t, 2)
			time.AfterFunc(after, func() {
				g.mu.Lock()
				defer g.mu.Unlock()
				g.events <- core.CancelAsked{Reason: "by root"}
			})
			begun := time.Now()
			_, err := g.attempt()
			if core.KindOf(err) != core.Cancelled || g.committed != nil {
				t.Errorf("cancelled after %s: ended with %v, committed %v", after, err, g.committed)
			}
			// The clock is synctest's; two seconds are the gang's own end.
			if took := time.Since(begun) - after - 2*time.Second; took > 0 {
				t.Errorf("cancelled after %s, but it took %s more", after, took)
			}
		})
	}
}
