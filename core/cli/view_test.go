package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api/apipb"
)

func halfway() *core.Job {
	begin := time.Unix(1e9, 0)
	return &core.Job{ID: "j", State: core.Running, Submitted: begin, Started: begin, Progress: core.Progress{Stages: []core.Stage{
		{Name: "map", Tasks: 4, Running: 2, Done: 2, Failed: 1, BytesTotal: 2e6, BytesDone: 1e6},
		{Name: "reduce", Tasks: 3, AtMost: true},
	}}}
}

func TestRender(t *testing.T) {
	want := []string{ // without the bars
		"j  running  10s",
		"  map       50%  2/4 tasks, 2 running  1.0 MB  100.0 kB/s  10s left  1 failed try",
		"  reduce     0%  0/≤3 tasks",
	}
	got := render(halfway(), 120, time.Unix(1e9+10, 0))
	if len(got) != len(want) || !strings.Contains(got[1], "━┄") {
		t.Fatalf("drawn as %q", got)
	}
	for i := range want {
		if d := cmp.Diff(want[i], strings.NewReplacer("━", "", "┄", "").Replace(got[i])); d != "" {
			t.Errorf("line %d: %s", i, d)
		}
	}
}

// No line is wider than the terminal, or it would wrap and the next redraw
// would leave parts of it.
func TestRenderFits(t *testing.T) {
	j := halfway()
	j.ID = core.JobID(strings.Repeat("x", 63))
	for width := 5; width < 200; width++ {
		for _, line := range render(j, width, time.Unix(1e9+10, 0)) {
			if n := utf8.RuneCountInString(line); n >= width {
				t.Fatalf("%d columns of %d: %q", n, width, line)
			}
		}
	}
}

// Off a terminal a line is written when something changed (law L3).
func TestLines(t *testing.T) {
	var out bytes.Buffer
	v := (&app{err: &out}).view(false)
	j := halfway()
	j.Progress.Note = "rank 3 died"
	for range 5 {
		v.job(j)
	}
	j.Progress.Note = "the store is silent"
	v.job(j)
	j.Progress.Note = "rank 3 died" // what it said before, now that this is over
	v.job(j)
	v.event(&apipb.JobEvent{Kind: "granted", Text: "not told"})
	v.event(&apipb.JobEvent{Kind: "executor-lost", Text: "rank 3 lost \x1b[2J"})
	v.close()
	for text, want := range map[string]int{"rank 3 died": 1, "the store is silent": 1, "map 2/4": 1, "not told": 0, "rank 3 lost ·[2J": 1, "\x1b": 0} {
		if n := strings.Count(out.String(), text); n != want {
			t.Errorf("%q is written %d times, not %d:\n%s", text, n, want, out.String())
		}
	}
}

// What is drawn is erased before it is drawn again, and notes stay above it.
func TestScreen(t *testing.T) {
	var out bytes.Buffer
	s := &screen{app: &app{err: &out}, notes: map[string]bool{}}
	j := halfway()
	s.job(j)
	if s.drawn != 3 {
		t.Fatalf("%d lines are drawn", s.drawn)
	}
	out.Reset()
	j.Progress.Note = "rank 3 died"
	s.job(j)
	s.job(j)
	text := out.String()
	if !strings.HasPrefix(text, "\x1b[3A\x1b[J") || strings.Count(text, "rank 3 died") != 1 {
		t.Errorf("redrawn as %q", text)
	}
}

func TestPeoplesNumbers(t *testing.T) {
	for got, want := range map[string]string{
		size(0): "0 B", size(999): "999 B", size(1000): "1.0 kB", size(89_300_000): "89.3 MB", size(3e18): "3000.0 PB",
		count(0): "0", count(999): "999", count(1000): "1,000", count(1234567): "1,234,567", count(-123456): "-123,456", count(-1000): "-1,000",
		span(1500 * time.Microsecond): "2ms", span(1240 * time.Millisecond): "1.2s", span(192 * time.Second): "3m12s",
		ago(time.Time{}):              "-",
		clean("a\x1b[31mb\u009bc\td"): "a·[31mb·c\td",
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// Of an elastic gang, status tells what it has beside what it asked for.
func TestStatusOfElasticGang(t *testing.T) {
	for has, want := range map[int]string{0: "3 executors of", 2: "2 of 3 executors of", 3: "3 executors of", 5: "5 executors of"} {
		j := halfway()
		j.Spec.Gang.Size, j.Executors = 3, has
		var b bytes.Buffer
		statusTable(&b, j)
		if !strings.Contains(b.String(), "gang\t"+want) {
			t.Errorf("of %d executors: %s", has, b.String())
		}
	}
}
