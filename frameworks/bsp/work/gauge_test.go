package work

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

func observed(t *testing.T, g *gauge, incarnation int, steps ...int64) {
	t.Helper()
	g.begin(incarnation)
	for _, n := range steps {
		g.observe(peer.Superstep{Number: n})
	}
	if g.take() == nil {
		t.Fatal("nothing to tell")
	}
}

// TestSeriesOutlivesExecutor: who takes a lost rank's place goes on with its
// series, but for a line that was cut off.
func TestSeriesOutlivesExecutor(t *testing.T) {
	dir := t.TempDir()
	first, err := newGauge(dir, 3)
	if err != nil {
		t.Fatal(err)
	}
	observed(t, first, 1, 0, 1, 2)
	path := filepath.Join(dir, "supersteps-00003.csv")
	if _, err := first.series.WriteString("1,3,4,17"); err != nil {
		t.Fatal(err)
	}
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	second, err := newGauge(dir, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer second.close()
	if second.lines != 3 || second.skip != 1 {
		t.Errorf("%d lines, every %d", second.lines, second.skip)
	}
	observed(t, second, 2, 2, 3)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		got = append(got, strings.Join(strings.SplitN(line, ",", 4)[:3], " "))
	}
	if want := "incarnation rank superstep|1 3 1|1 3 2|1 3 3|2 3 3|2 3 4"; strings.Join(got, "|") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSeriesNamesStages: what a program says that it loads is told apart.
func TestSeriesNamesStages(t *testing.T) {
	dir := t.TempDir()
	g, err := newGauge(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	g.begin(1)
	g.observe(peer.Superstep{Number: 0, Loading: true, Compute: 3, Wait: 4})
	g.observe(peer.Superstep{Number: 1, Compute: 5})
	s := g.take()
	if s.Total.Load != 7 || s.Total.Compute != 8 || !s.Last[0].Loading || s.Last[1].Loading {
		t.Errorf("%+v", s)
	}
	text, err := os.ReadFile(filepath.Join(dir, "supersteps-00000.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[1], ",load") || !strings.HasSuffix(lines[2], ",run") {
		t.Errorf("%q", lines)
	}
}

// TestSeriesStaysSparse: what was thinned out before goes on thinned out.
func TestSeriesStaysSparse(t *testing.T) {
	dir := t.TempDir()
	text := SeriesHeader + strings.Repeat("1,0,1,0,0,0,0,0,0,0,0,0,run\n", 2*seriesLines+5)
	if err := os.WriteFile(filepath.Join(dir, "supersteps-00000.csv"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := newGauge(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	if g.lines != 5 || g.skip != 4 {
		t.Errorf("%d lines, every %d; want 5, every 4", g.lines, g.skip)
	}
}

// TestEdgesAreTimed: only supersteps that follow edges count, and what was
// followed after the last one does too.
func TestEdgesAreTimed(t *testing.T) {
	g, err := newGauge(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	g.begin(1)
	g.observe(peer.Superstep{Number: 0, Compute: 100})
	g.observe(peer.Superstep{Number: 1, Compute: 5, Send: 2, Wait: 1, Edges: 40})
	g.observe(peer.Superstep{Number: 2, Ended: true, Compute: 4, Edges: 20})
	if total, _ := g.sum(); total.Edges != 60 || total.Following != 12 || total.Compute != 105 || total.Number != 2 {
		t.Errorf("%+v", total)
	}
}

// TestSeriesIsRecalled: a gang in a folder of its own goes on with the series that
// the one before has left in the store, whole or not.
func TestSeriesIsRecalled(t *testing.T) {
	first, err := newGauge(t.TempDir(), 3)
	if err != nil {
		t.Fatal(err)
	}
	defer first.close()
	observed(t, first, 1, 0, 1, 2)
	left, err := first.whole()
	if err != nil {
		t.Fatal(err)
	}
	second, err := newGauge(t.TempDir(), 3)
	if err != nil {
		t.Fatal(err)
	}
	defer second.close()
	if !second.none() {
		t.Error("a new series has lines")
	}
	if err := second.recall(left); err != nil {
		t.Fatal(err)
	}
	observed(t, second, 2, 2)
	series, err := second.whole()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(series)
	if got := strings.Count(string(text), "\n"); err != nil || got != 5 || !strings.HasPrefix(string(text), SeriesHeader) || second.none() {
		t.Errorf("%d lines, %v:\n%s", got, err, text)
	}
	if err := second.recall(iotest.ErrReader(io.ErrClosedPipe)); err == nil {
		t.Error("what cannot be read was recalled")
	}
	if series, err = second.whole(); err != nil {
		t.Fatal(err)
	}
	if text, err = io.ReadAll(series); err != nil || string(text) != SeriesHeader {
		t.Errorf("after an error the series is %q, %v", text, err)
	}
}
