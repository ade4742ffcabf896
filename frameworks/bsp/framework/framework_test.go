package framework

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/plugins/plugintest"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.ServeIfChild()
	goleak.VerifyTestMain(m)
}

// bench is a store, and a count of the jobs run on it.
type bench struct {
	t      *testing.T
	access core.StoreAccess
	store  *store.Client
	n      int
}

func newBench(t *testing.T) *bench {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	return &bench{t: t, access: s.Access(), store: storetest.Open(t, s.Access())}
}

// spec is a job of its own output that runs a function; change edits the body.
func (b *bench) spec(function string, change func(body map[string]any)) core.Spec {
	b.n++
	body := map[string]any{
		"algorithm":  map[string]any{"use": function},
		"checkpoint": map[string]any{"every": 5},
		"output":     map[string]any{"path": fmt.Sprintf("s3://test/out-%d", b.n)},
		"preview":    map[string]any{"limit": 3},
	}
	if change != nil {
		change(body)
	}
	text, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	return core.Spec{Kind: Kind, Gang: core.Gang{Size: 3, CPU: 1000, Memory: 256 << 20}, Body: text}
}

func (b *bench) options() plugintest.Options {
	o := plugintest.Options{Store: b.access}
	o.Store.Prefix = fmt.Sprintf("test/attempt-%d/", b.n)
	return o
}

// rows are the lines of a committed result, sorted.
func (b *bench) rows(url string) string {
	b.t.Helper()
	var text bytes.Buffer
	if err := output.Cat(b.t.Context(), b.store, url, &text); err != nil {
		b.t.Fatal(err)
	}
	lines := strings.SplitAfter(text.String(), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// mixed is what the mixer writes when nothing disturbs it.
func (b *bench) mixed() string {
	b.t.Helper()
	report, err := plugintest.Run(b.t, New(functions(nil)), b.spec("mixer", nil), b.options())
	if err != nil {
		b.t.Fatal(err)
	}
	return b.rows(report.Output)
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

func TestRun(t *testing.T) {
	b := newBench(t)
	s := b.spec("mixer", nil)
	gang := plugintest.NewGang(t, New(functions(nil)), s, b.options())
	report, err := gang.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := b.rows(report.Output); strings.Count(got, "\n") != 6 || report.RecordsOut != 6 {
		t.Errorf("%d rows reported: %s", report.RecordsOut, got)
	}
	if report.Counters["bsp/supersteps"] != 20 || report.Counters["mixer/steps"] != 60 || report.Counters["bsp/messages"] != 180 {
		t.Errorf("counters: %v", report.Counters)
	}
	if report.RecordsIn != 0+1+2 || report.Counters["peer/records in"] != 0 {
		t.Errorf("%d records read: %v", report.RecordsIn, report.Counters)
	}
	if report.Preview == nil || len(report.Preview.Rows) != 3 || report.CPUSeconds <= 0 {
		t.Errorf("report: %+v", report)
	}
	if p := gang.Progress(); len(p.Tables) != 2 || len(p.Tables[0].Rows) != 3 || p.Stages[0].Done != 20 {
		t.Errorf("progress: %+v", p)
	}
	if n := len(b.series(report.Output)); n != 3*20 {
		t.Errorf("the series have %d lines, want %d", n, 3*20)
	}
	m, err := output.ReadManifest(t.Context(), b.store, report.Output)
	if err != nil || fmt.Sprint(m.Columns) != "[{id int64} {value int64}]" {
		t.Errorf("columns: %v, %v", m.Columns, err)
	}
}

// series are the lines of the side files, without their heads.
func (b *bench) series(url string) (lines []string) {
	b.t.Helper()
	m, err := output.ReadManifest(b.t.Context(), b.store, url)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, p := range m.Parts {
		if p.Kind != output.Side {
			continue
		}
		f, err := output.Open(b.t.Context(), b.store, url, p)
		if err != nil {
			b.t.Fatal(err)
		}
		var text bytes.Buffer
		if _, err := text.ReadFrom(f); err != nil {
			b.t.Fatal(err)
		}
		f.Close()
		head, rest, _ := strings.Cut(strings.TrimSpace(text.String()), "\n")
		if !strings.HasPrefix(head, "incarnation,rank,superstep,") {
			b.t.Errorf("a series begins with %q", head)
		}
		lines = append(lines, strings.Split(rest, "\n")...)
	}
	return lines
}

// TestFormats: rows come out of every format, records and pairs alike.
func TestFormats(t *testing.T) {
	b := newBench(t)
	want := b.mixed()
	for _, format := range []string{"csv", "json", "parquet", "arrow"} {
		t.Run(format, func(t *testing.T) {
			for _, function := range []string{"mixer", "words"} {
				s := b.spec(function, func(m map[string]any) {
					m["output"] = map[string]any{"path": fmt.Sprintf("s3://test/out-%d", b.n), "format": format}
				})
				report, err := plugintest.Run(t, New(functions(nil)), s, b.options())
				if err != nil {
					t.Fatal(err)
				}
				got := b.rows(report.Output)
				switch {
				case function == "words" && !strings.Contains(got, "rank-2"):
					t.Errorf("%s: %s", function, got)
				case function == "mixer" && (format == "parquet" || format == "arrow") && got != want:
					t.Errorf("%s\nwant\n%s", got, want)
				}
			}
		})
	}
}

// trap holds every rank before the Sync that would end superstep at+1, until do
// was done, once, when all ranks have written their part of the checkpoint of
// superstep at.
type trap struct {
	at   int64
	do   func(g *plugintest.Gang)
	n    int
	once sync.Once
	done chan struct{}
}

func newTrap(at int64, do func(g *plugintest.Gang)) *trap {
	return &trap{at: at, do: do, done: make(chan struct{})}
}

func (p *trap) on(g *plugintest.Gang, e core.Event) {
	up, _, ok := said(e)
	if !ok || up.Written == nil || up.Written.Superstep != p.at {
		return
	}
	if p.n++; p.n == 3 {
		p.once.Do(func() {
			p.do(g)
			close(p.done)
		})
	}
}

func (p *trap) hook(ctx context.Context, r *peer.Peer) error {
	if r.Superstep() != p.at {
		return nil
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestKilled kills each rank when a checkpoint is whole: the answer is the same,
// and the ranks go on from the checkpoint.
func TestKilled(t *testing.T) {
	b := newBench(t)
	want := b.mixed()
	for _, durability := range []string{"disk", "s3-async", "s3-sync"} {
		for victim := range 3 {
			t.Run(fmt.Sprintf("%s/%d", durability, victim), func(t *testing.T) {
				s := b.spec("mixer", func(m map[string]any) {
					m["checkpoint"] = map[string]any{"every": 5, "durability": durability}
				})
				trap := newTrap(5, func(g *plugintest.Gang) { restart(t, g, victim) })
				o := b.options()
				o.On = trap.on
				report, err := plugintest.Run(t, New(functions(trap.hook)), s, o)
				if err != nil {
					t.Fatal(err)
				}
				if got := b.rows(report.Output); got != want {
					t.Errorf("%s\nwant\n%s", got, want)
				}
				if report.RecordsIn != 3 || report.Counters["bsp/repairs"] != 1 || report.Counters["mixer/steps"] != 60 {
					t.Errorf("counters: %v", report.Counters)
				}
				if notes := strings.Join(report.Notes, "\n"); !strings.Contains(notes, "going on after superstep 5") {
					t.Errorf("notes: %s", notes)
				}
			})
		}
	}
}

// TestDamaged: a checkpoint that is damaged on the disk is passed over, and the
// report says so.
func TestDamaged(t *testing.T) {
	b := newBench(t)
	want := b.mixed()
	trap := newTrap(5, func(g *plugintest.Gang) {
		damage(t, g, task.Checkpoint{Incarnation: 1, Superstep: 5})
		restart(t, g, 1)
	})
	o := b.options()
	o.On = trap.on
	report, err := plugintest.Run(t, New(functions(trap.hook)), b.spec("mixer", nil), o)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.rows(report.Output); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if notes := strings.Join(report.Notes, "\n"); !strings.Contains(notes, "cannot be read by rank") || !strings.Contains(notes, "beginning anew") {
		t.Errorf("notes: %s", notes)
	}
}

// damage changes a byte in every file of a checkpoint.
func damage(t *testing.T, g *plugintest.Gang, c task.Checkpoint) {
	files, err := filepath.Glob(filepath.Join(g.Shared(), "checkpoints", fmt.Sprintf("%06d-%012d-*", c.Incarnation, c.Superstep)))
	if err != nil || len(files) == 0 {
		t.Errorf("no files of %v: %v", c, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Error(err)
			continue
		}
		text[len(text)/2] ^= 1
		if err := os.WriteFile(f, text, 0o600); err != nil {
			t.Error(err)
		}
	}
}

// TestOldFilesGo: what is left in the gang's folder are the last two checkpoints,
// what they need, up to eight that were not saved, and those that were written
// while word of that was on its way: of two hundred.
func TestOldFilesGo(t *testing.T) {
	b := newBench(t)
	s := b.spec("mixer", func(m map[string]any) {
		m["algorithm"] = map[string]any{"use": "mixer", "with": map[string]any{"steps": 400}}
		m["checkpoint"] = map[string]any{"every": 2}
	})
	gang := plugintest.NewGang(t, New(functions(nil)), s, b.options())
	if _, err := gang.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(gang.Shared(), "checkpoints", "*"))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, f := range files {
		_, name, _ := strings.Cut(filepath.Base(f), ".")
		if strings.HasSuffix(f, "-program-fixed.section") {
			name = "fixed"
		}
		count[name]++
	}
	if count["part"] < 3 || count["part"] > 48 || count["fixed"] != 3 {
		t.Errorf("left of 3 ranks: %v", count)
	}
}

// TestNewGeneration: a coordinator that takes over with a gang of its own goes on
// from what was saved and lies in the store.
func TestNewGeneration(t *testing.T) {
	b := newBench(t)
	s := func() core.Spec {
		return b.spec("mixer", func(m map[string]any) {
			m["algorithm"] = map[string]any{"use": "mixer", "with": map[string]any{"steps": 100}}
			m["checkpoint"] = map[string]any{"every": 5, "durability": "s3-sync"}
		})
	}
	report, err := plugintest.Run(t, New(functions(nil)), s(), b.options())
	if err != nil {
		t.Fatal(err)
	}
	want := b.rows(report.Output)

	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	trap := newTrap(99, nil) // which nobody opens
	o, later, spec := b.options(), 0, s()
	o.Store.Prefix = "test/attempt-of-two/"
	o.On = func(_ *plugintest.Gang, e core.Event) {
		// With the second of these the coordinator has taken the first, and with that
		// all parts of the first checkpoint.
		if up, _, ok := said(e); ok && up.Written != nil && up.Written.Superstep > 5 {
			if later++; later == 2 {
				kill()
			}
		}
	}
	first := plugintest.NewGang(t, New(functions(trap.hook)), spec, o)
	if _, err := first.Run(ctx); err == nil {
		t.Fatal("a killed coordinator reports success")
	}
	o.On, o.Saved, o.Generation = nil, first.Saved(), 2
	if report, err = plugintest.Run(t, New(functions(nil)), spec, o); err != nil {
		t.Fatal(err)
	}
	if got := b.rows(report.Output); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if notes := strings.Join(report.Notes, "\n"); !strings.Contains(notes, "going on after superstep") {
		t.Errorf("notes: %s", notes)
	}
}

// TestGiveWay: a gang that has to give way makes a checkpoint though none is due,
// goes, and goes on from there in a folder of its own.
func TestGiveWay(t *testing.T) {
	b := newBench(t)
	s := func() core.Spec {
		return b.spec("mixer", func(m map[string]any) {
			m["algorithm"] = map[string]any{"use": "mixer", "with": map[string]any{"steps": 1000}}
			m["checkpoint"] = map[string]any{"every": 0}
		})
	}
	report, err := plugintest.Run(t, New(functions(nil)), s(), b.options())
	if err != nil {
		t.Fatal(err)
	}
	want := b.rows(report.Output)

	hellos, ups, commands := 0, 0, 0
	told := make(chan struct{})
	spec, o := s(), b.options()
	o.On = func(g *plugintest.Gang, e core.Event) {
		up, rank, ok := said(e)
		switch e.(type) {
		case core.GangUp:
			if ups++; ups == 2 {
				if err := os.RemoveAll(filepath.Join(g.Shared(), "checkpoints")); err != nil { // it went with the first gang
					t.Error(err)
				}
			}
		case core.Command:
			// With the second of these the coordinator has taken the notice.
			if commands++; commands == 2 {
				close(told)
			}
		}
		if ok && up.Hello != nil && ups == 1 {
			if hellos++; hellos == 3 {
				g.GiveWay(gangName, time.Now().Add(time.Minute))
				g.Command("nothing", nil)
				g.Command("nothing", nil)
			}
		}
		if ok && up.Brought != nil {
			// Before the next gang opens it.
			if err := os.Remove(filepath.Join(g.Shared(), fmt.Sprintf("supersteps-%05d.csv", rank))); err != nil {
				t.Error(err)
			}
		}
	}
	hook := func(ctx context.Context, p *peer.Peer) error {
		if p.Superstep() > 0 {
			return nil
		}
		select {
		case <-told:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if report, err = plugintest.Run(t, New(functions(hook)), spec, o); err != nil {
		t.Fatal(err)
	}
	if got := b.rows(report.Output); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if notes := strings.Join(report.Notes, "\n"); !strings.Contains(notes, "gives way") || !strings.Contains(notes, "going on after superstep") || ups != 2 {
		t.Errorf("%d gangs; notes: %s", ups, notes)
	}
	// The series has every superstep of each rank, by both gangs together.
	seen, gangs := map[string]bool{}, map[string]bool{}
	for _, line := range b.series(report.Output) {
		f := strings.Split(line, ",")
		gangs[f[0]], seen[f[1]+" "+f[2]] = true, true
	}
	if len(gangs) != 2 || len(seen) != 3*1000 {
		t.Errorf("the series has incarnations %v and %d supersteps of ranks", gangs, len(seen))
	}
}

// TestErrors: an error and a panic of the program fail the job, with their rank.
func TestErrors(t *testing.T) {
	b := newBench(t)
	for function, want := range map[string]string{
		"failing":   "rank 1 in superstep 4: vertex 7 has no weight",
		"panicking": "rank 0 in superstep 1: panic: a bug",
	} {
		_, err := plugintest.Run(t, New(functions(nil)), b.spec(function, nil), b.options())
		if e := core.AsError(err); e == nil || e.Kind != core.Failed || e.What != want {
			t.Errorf("%s: %v", function, err)
		}
	}
}

// TestOutputTaken: what is there is found by Plan in a folder, and by Run in
// the store.
func TestOutputTaken(t *testing.T) {
	b := newBench(t)
	f := New(functions(nil))
	if _, err := plugintest.Run(t, f, b.spec("mixer", nil), b.options()); err != nil {
		t.Fatal(err)
	}
	b.n--
	if _, err := plugintest.Run(t, f, b.spec("mixer", nil), b.options()); core.KindOf(err) != core.Conflict {
		t.Errorf("a second job into one output ended with %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "something"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken := b.spec("mixer", func(m map[string]any) { m["output"] = map[string]any{"path": "file://" + dir} })
	if _, err := f.Plan(t.Context(), &core.Job{Spec: taken}); core.KindOf(err) != core.Conflict {
		t.Errorf("plan into a folder that is there: %v", err)
	}
}

func TestConformance(t *testing.T) {
	b := newBench(t)
	s := b.spec("mixer", func(m map[string]any) {
		m["output"] = map[string]any{"path": "s3://test/conform", "ifExists": "replace"}
	})
	plugintest.Conform(t, New(functions(nil)), s, b.options())
}

// TestTypedPairs: rows of texts come out as what the program says they are.
func TestTypedPairs(t *testing.T) {
	b := newBench(t)
	s := b.spec("numbers", func(m map[string]any) {
		m["output"] = map[string]any{"path": fmt.Sprintf("s3://test/out-%d", b.n), "format": "parquet"}
	})
	report, err := plugintest.Run(t, New(functions(nil)), s, b.options())
	if err != nil {
		t.Fatal(err)
	}
	m, err := output.ReadManifest(t.Context(), b.store, report.Output)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(m.Columns); got != "[{id int64} {value float64}]" {
		t.Errorf("columns: %s", got)
	}
	if got := b.rows(report.Output); got != "0\t0\n1\t1.5\n2\t3\n" {
		t.Errorf("rows: %s", got)
	}
}
