package coordinate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/coordinator/coordinatortest"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/coordinate"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/frameworks/mapreduce/work"
	"github.com/capstan-run/capstan/shuffle"
)

// gang is a job in a world of coordinatortest: the coordinator with real loops
// around a run function of the test.
type gang struct {
	run        work.RunFunc
	splits     int
	partitions int
	ranged     bool
	attempts   int
	listErr    error
	commitErr  error
	report     core.Report // of the last generation
}

func newGang() *gang { return &gang{run: runTask, splits: 5, partitions: 3, attempts: 4} }

func (g *gang) subject() coordinatortest.Subject {
	return coordinatortest.Subject{
		Size: 2, Coordinate: g.coordinate,
		Body: json.RawMessage(`{"input":{"path":"file:///in"},"map":{"use":"words"},"output":{"path":"file:///out"}}`),
		Work: func(ctx context.Context, env *core.Env) error { return work.Loop(ctx, env, g.run) },
	}
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

func (g *gang) list(context.Context) ([]input.Split, error) {
	var splits []input.Split
	for i := range g.splits {
		f := input.File{URL: fmt.Sprintf("file:///in/%d", i), Size: 10}
		splits = append(splits, input.Split{Bytes: 10, Ranges: []input.Range{{File: f, Length: 10}}})
	}
	return splits, g.listErr
}

// coordinate runs one generation of the coordinator.
func (g *gang) coordinate(ctx context.Context, w *coordinatortest.World, n coordinatortest.Generation) (any, error) {
	var parts []output.Part
	report, err := coordinate.Run(ctx, coordinate.Attempt{
		Config: coordinate.Config{
			Slots: 1, Attempts: g.attempts, Timeout: time.Minute, Speculation: true, Range: g.ranged,
			Preview:  &spec.Preview{Limit: 20, By: "value", Order: "descending"},
			FirstTry: int(n.Number-1) << 16, Grace: coordinate.DefaultGrace,
		},
		Gang:       core.GangAsk{Name: "main", Gang: core.Gang{Size: 2, CPU: 500}},
		Partitions: func(int64) int { return g.partitions },
		Saved:      n.Saved,
		Output:     "s3://results/x",
		Log:        slog.New(slog.DiscardHandler),
		List:       g.list,
		Commit: func(ctx context.Context, r *coordinate.Result) error {
			parts = r.Parts
			if g.commitErr != nil {
				return g.commitErr
			}
			return w.Commit(ctx, n, r.Parts)
		},
	}, n.Host)
	g.report = report
	return answerOf(report, parts), err
}

// answer is what must not depend on who was killed when.
type answer struct {
	Parts    []string
	Counters map[string]int64
	In, Out  int64
	Preview  *core.Table
}

func answerOf(r core.Report, parts []output.Part) answer {
	a := answer{Counters: r.Counters, In: r.RecordsIn, Out: r.RecordsOut, Preview: r.Preview}
	for _, p := range parts {
		a.Parts = append(a.Parts, fmt.Sprintf("%s: %d rows", p.Name, p.Rows))
	}
	return a
}

func TestGang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGang()
		w := coordinatortest.NewWorld(t, g.subject())
		got, err := w.Attempt()
		if err != nil {
			t.Fatal(err)
		}
		want := answer{
			Parts:    []string{"part-00000.txt: 5 rows", "part-00001.txt: 5 rows", "part-00002.txt: 5 rows"},
			Counters: map[string]int64{"rows/map": 50, "rows/reduce": 30},
			In:       50, Out: 15,
			Preview: &core.Table{Title: "3 largest by value", Columns: []string{"key", "value"}, Rows: [][]string{{"0", "1"}, {"1", "1"}, {"2", "1"}}},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("answer (-want +got):\n%s", d)
		}
		if r := g.report; r.Output != "s3://results/x" || r.Cores != 1 || r.Seconds <= 0 || r.Shuffled != 500 || r.BytesIn != 50 {
			t.Errorf("report %+v", r)
		}
		if !slices.Contains(g.report.Notes, "5 bad records were set aside: s3://results/x/_dead") {
			t.Errorf("notes %q", g.report.Notes)
		}
		last := w.Shown().Stages
		if len(last) != 2 || last[0].Done != 5 || last[1].Done != 3 || last[0].BytesDone != 50 {
			t.Errorf("the last progress shown is %+v", last)
		}
	})
}

// TestWorld: whoever is killed and whatever is late, the answer stays the same
// (law M7).
func TestWorld(t *testing.T) {
	for _, ranged := range []bool{false, true} {
		t.Run(fmt.Sprintf("ranged %v", ranged), func(t *testing.T) {
			coordinatortest.Run(t, func(*testing.T) coordinatortest.Subject {
				g := newGang()
				g.ranged, g.attempts = ranged, 40 // a storm's losses are no task's fault
				return g.subject()
			}, 60)
		})
	}
}

func TestFailures(t *testing.T) {
	conflict := core.Errorf(core.Conflict, "the output exists")
	missing := core.Errorf(core.NotFound, "no such file").At("spec.input.path")
	for _, c := range []struct {
		name  string
		setup func(*gang)
		saved []byte
		kind  core.ErrKind
	}{
		{"input missing", func(g *gang) { g.listErr = missing }, nil, core.NotFound},
		{"output taken", func(g *gang) { g.commitErr = conflict }, nil, core.Conflict},
		{"bad record", func(g *gang) {
			g.run = func(context.Context, *task.Run, func(task.Progress)) (*task.Done, *task.Failed) {
				return nil, &task.Failed{Fatal: true, Err: core.Error{Kind: core.Failed, What: "not UTF-8"}}
			}
		}, nil, core.Failed},
		{"panic each time", func(g *gang) {
			g.run = func(context.Context, *task.Run, func(task.Progress)) (*task.Done, *task.Failed) { panic("no") }
		}, nil, core.Failed},
		{"saved state of another version", func(*gang) {}, []byte{99}, core.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGang()
				c.setup(g)
				w := coordinatortest.NewWorld(t, g.subject())
				w.Leave(c.saved)
				_, err := w.Attempt()
				if core.KindOf(err) != c.kind || g.report.Output != "" {
					t.Errorf("ended with %q (%v) and output %q, want %q", core.KindOf(err), err, g.report.Output, c.kind)
				}
			})
		})
	}
}

func TestCancel(t *testing.T) {
	for _, after := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 170 * time.Millisecond, 300 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			w := coordinatortest.NewWorld(t, newGang().subject())
			time.AfterFunc(after, func() { w.Cancel("by root") })
			begun := time.Now()
			_, err := w.Attempt()
			if core.KindOf(err) != core.Cancelled || w.Committed() != nil {
				t.Errorf("cancelled after %s: ended with %v, committed %v", after, err, w.Committed())
			}
			if took := time.Since(begun) - after; took > 0 { // the clock is the bubble's
				t.Errorf("cancelled after %s, but it took %s more", after, took)
			}
		})
	}
}
