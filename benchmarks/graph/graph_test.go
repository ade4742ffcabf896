package graph

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/frameworks/bsp/graph/graphtest"
)

func TestMakeWritesEachEdgeOnce(t *testing.T) {
	dir := t.TempDir()
	g, err := Make(t.Context(), dir, 8)
	if err != nil {
		t.Fatal(err)
	}
	want := map[[2]uint32]bool{}
	ids := map[uint32]bool{}
	for _, e := range graphtest.RMAT(8, edgeFactor, seed) {
		if e.Source != e.Target {
			want[[2]uint32{min(e.Source, e.Target), max(e.Source, e.Target)}] = true
			ids[e.Source], ids[e.Target] = true, true
		}
	}
	if g.Edges != int64(len(want)) || g.Vertices != len(ids) {
		t.Errorf("%d edges, %d vertices, want %d and %d", g.Edges, g.Vertices, len(want), len(ids))
	}
	text, err := os.ReadFile(g.Text)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	seen := map[string]bool{}
	for _, line := range lines {
		if seen[line] {
			t.Fatalf("the edge %s stands there twice", line)
		}
		seen[line] = true
	}
	if int64(len(lines)) != g.Edges {
		t.Errorf("%d lines for %d edges", len(lines), g.Edges)
	}
	if err := os.Truncate(g.Text, 0); err != nil {
		t.Fatal(err)
	}
	again, err := Make(t.Context(), dir, 8)
	if err != nil || *again != *g {
		t.Errorf("the graph in the cache is %+v, want %+v: %v", again, g, err)
	}
	if info, err := os.Stat(g.Text); err != nil || info.Size() != 0 {
		t.Errorf("it was written again: %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{"a missing vertex": "0 1\n", "one twice": "0 1\n0 2\n", "a stranger": "0 1\n2 1\n", "no number": "0 1\n1 x\n"} {
		file := filepath.Join(t.TempDir(), "answer")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if a, err := Read(file, 2); err == nil {
			t.Errorf("%s was accepted: %v", name, a)
		}
	}
}

func TestReadDirectory(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"part-00000.txt": "1\tinfinity\n", "part-00001": "0 2.5\n", "_SUCCESS": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, err := Read(dir, 2)
	if err != nil || a[0] != 2.5 || !math.IsInf(a[1], 1) {
		t.Errorf("%v, %v", a, err)
	}
}

func TestDiffer(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		algorithm string
		want, got Answer
		same      bool
	}{
		{PageRank, Answer{1, 2}, Answer{1, 2.0001}, true},
		{PageRank, Answer{1, 2}, Answer{1, 2.001}, false},
		{SSSP, Answer{inf, 2}, Answer{inf, 2}, true},
		{SSSP, Answer{inf, 2}, Answer{3, 2}, false},
		{SSSP, Answer{3, 2}, Answer{inf, 2}, false},
		{PageRank, Answer{1, 2}, Answer{1, math.NaN()}, false},
		{LCC, Answer{0.5}, Answer{0.50001}, false},
		{BFS, Answer{unreached, 2}, Answer{unreached, 2}, true},
		{BFS, Answer{1, 2}, Answer{1, 3}, false},
		{CDLP, Answer{1, 1}, Answer{1, 2}, false},
		{WCC, Answer{0, 0, 2}, Answer{7, 7, 3}, true},
		{WCC, Answer{0, 0, 2}, Answer{7, 7, 7}, false},
		{WCC, Answer{0, 0, 2}, Answer{7, 8, 3}, false},
	} {
		if err := Differ(c.algorithm, c.want, c.got); (err == nil) != c.same {
			t.Errorf("%s of %v and %v: %v", c.algorithm, c.want, c.got, err)
		}
	}
	if Differ(BFS, Answer{1}, Answer{1, 2}) == nil {
		t.Error("answers of two lengths are the same")
	}
}

const header = "incarnation,rank,superstep,end,compute,send,wait,checkpoint,messages,bytes,spilled,active,stage\n"

func TestSteps(t *testing.T) {
	dir := t.TempDir()
	side := filepath.Join(dir, "_side")
	if err := os.Mkdir(side, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"supersteps.csv-00000": header + "1,0,1,1000,5,1,2,0,0,0,0,0,load\n1,0,2,1100,50,1,2,3,4,5,6,7,run\n2,0,2,5100,60,1,2,3,4,5,6,7,run\n2,0,3,5200,60,1,2,3,4,5,6,7,run\n",
		"supersteps.csv-00001": header + "2,1,2,5050,1,1,1,1,4,5,6,7,run\n",
	} {
		if err := os.WriteFile(filepath.Join(side, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	steps, err := Steps(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) != 5 || steps[2].Incarnation != 2 || steps[3].Rank != 1 || steps[1].Checkpoint != 3 {
		t.Errorf("%+v", steps)
	}
	if got := Resumed(steps); got != 4000*time.Nanosecond {
		t.Errorf("resumed after %v", got)
	}
	if loading, loop := Times(steps); loading != 8 || loop != 56+66+66 {
		t.Errorf("loading took %v, the loop %v", loading, loop)
	}
	if err := os.WriteFile(filepath.Join(side, "supersteps.csv-00001"), []byte(header+"2,x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Steps(dir); err == nil {
		t.Error("a broken line was accepted")
	}
}

func TestDirectLeadsEveryEdgeSomewhere(t *testing.T) {
	dir := t.TempDir()
	g, err := Make(t.Context(), dir, 8)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "directed.txt")
	if err := g.Direct(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ways := map[[2]uint32]int{} // of an edge: 1 up, 2 down, 3 both
	for line := range strings.Lines(string(text)) {
		var a, b uint32
		var weight float64
		if _, err := fmt.Sscan(line, &a, &b, &weight); err != nil || weight != Weight(a, b) {
			t.Fatalf("%q: %v", line, err)
		}
		way := 1
		if a > b {
			way = 2
		}
		edge := [2]uint32{min(a, b), max(a, b)}
		if ways[edge]&way != 0 {
			t.Errorf("%q stands there twice", line)
		}
		ways[edge] |= way
	}
	counts := map[int]int64{}
	for _, way := range ways {
		counts[way]++
	}
	if int64(len(ways)) != g.Edges {
		t.Errorf("%d edges, want %d", len(ways), g.Edges)
	}
	for way := 1; way <= 3; way++ {
		if counts[way] < g.Edges/4 {
			t.Errorf("%d of %d edges lead way %d", counts[way], g.Edges, way)
		}
	}
}
