package vertex_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/graphtest"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/bsp/vertex"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines are the lines of a file of edges, as the splits of a gang: rank r reads
// every size-th file.
type lines [][]string

// reads gives each rank its files.
func (l lines) reads(t testing.TB, size int) func(int, *peer.Config) {
	dir := t.TempDir()
	splits := make([][]input.Split, size)
	for i, part := range l {
		path := filepath.Join(dir, fmt.Sprintf("edges-%d.txt", i))
		text := strings.Join(part, "\n") + "\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		splits[i%size] = append(splits[i%size], input.Split{Ranges: []input.Range{{File: input.File{URL: input.FileURL(path), Size: int64(len(text))}, Length: int64(len(text))}}})
	}
	return func(rank int, c *peer.Config) { c.Splits, c.Reading = splits[rank], input.Options{} }
}

// of deals edges out to files.
func of(edges []graphtest.Edge, weighted bool) lines {
	l := make(lines, 5)
	for i, e := range edges {
		s := fmt.Sprintf("%d %d", e.Source, e.Target)
		if weighted {
			s += fmt.Sprintf(" %g", e.Weight)
		}
		l[i%5] = append(l[i%5], s)
	}
	return l
}

// values is the result by ID.
func values(t *testing.T, r *peertest.Result) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, rank := range r.Rows {
		for _, row := range rank {
			var v struct{ ID, Value json.RawMessage }
			if err := json.Unmarshal([]byte(row.Value), &v); err != nil {
				t.Fatal(err)
			}
			id := strings.Trim(string(v.ID), `"`)
			if _, twice := all[id]; twice {
				t.Fatalf("vertex %s is there twice", id)
			}
			all[id] = strings.Trim(string(v.Value), `"`)
		}
	}
	return all
}

func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d vertices, want %d", what, len(got), len(want))
	}
	for id, w := range want {
		if got[id] != w {
			t.Fatalf("%s: vertex %s has %q, want %q", what, id, got[id], w)
		}
	}
}

// component is the least ID that reaches a vertex, over undirected edges.
type component struct{}

func (component) Compute(v *vertex.Vertex[int64, struct{}, int64], in []int64) {
	least := *v.Value
	for _, m := range in {
		least = min(least, m)
	}
	if v.Superstep() == 0 || least < *v.Value {
		*v.Value = least
		v.SendToNeighbours(least)
	}
	v.VoteToHalt()
}

func components(edges []graphtest.Edge) map[string]string {
	label := map[uint32]uint32{}
	var find func(uint32) uint32
	find = func(x uint32) uint32 {
		if _, ok := label[x]; !ok {
			label[x] = x
		}
		for label[x] != x {
			x = label[x]
		}
		return x
	}
	for _, e := range edges {
		a, b := find(e.Source), find(e.Target)
		label[max(a, b)] = min(a, b)
	}
	want := map[string]string{}
	for x := range label {
		want[fmt.Sprint(x)] = fmt.Sprint(find(x))
	}
	return want
}

func componentProgram(c vertex.Combiner[int64], partition string) func() peer.Program {
	return func() peer.Program {
		return vertex.Must(component{}, vertex.Config[int64, struct{}, int64]{
			Graph: graph.Config{Partition: partition}, Combiner: c,
			Init: func(v *vertex.Vertex[int64, struct{}, int64]) int64 { return v.ID() },
		})
	}
}

func TestComponents(t *testing.T) {
	edges := graphtest.Uniform(3000, 2600, 1)
	want := components(edges)
	for name, c := range map[string]vertex.Combiner[int64]{
		"min": vertex.Min[int64](), "function": vertex.Combine(func(a, b int64) int64 { return min(a, b) }), "none": {},
	} {
		for _, partition := range []string{graph.ByEdges, graph.ByHash, graph.ByRange} {
			for _, size := range []int{1, 2, 3, 5, 8} {
				what := fmt.Sprintf("%s, %s, %d ranks", name, partition, size)
				r := peertest.Run(t, size, componentProgram(c, partition), of(edges, false).reads(t, size))
				same(t, what, values(t, r), want)
			}
		}
	}
}

func TestCores(t *testing.T) {
	edges := graphtest.Uniform(40_000, 60_000, 2)
	want := components(edges)
	for _, c := range []vertex.Combiner[int64]{vertex.Min[int64](), {}} {
		r := peertest.Run(t, 2, componentProgram(c, graph.ByEdges), of(edges, false).reads(t, 2), func(_ int, c *peer.Config) { c.Cores = 3 })
		same(t, "three cores", values(t, r), want)
	}
}

// TestPasses has messages that do not fit memory.
func TestPasses(t *testing.T) {
	edges := graphtest.RMAT(12, 16, 3)
	want := components(edges)
	r := peertest.Run(t, 2, componentProgram(vertex.Combiner[int64]{}, graph.ByEdges), of(edges, false).reads(t, 2), func(_ int, c *peer.Config) { c.Memory = 4 << 20 })
	same(t, "4 MiB", values(t, r), want)
}

type pageRank struct {
	dangling *vertex.Aggregator[float64]
}

const iterations = 20

func (p pageRank) Compute(v *vertex.Vertex[float64, struct{}, float64], in []float64) {
	n := float64(v.Vertices())
	if v.Superstep() > 0 {
		sum := p.dangling.Value() / n
		for _, m := range in {
			sum += m
		}
		*v.Value = 0.15/n + 0.85*sum
	}
	switch {
	case v.Superstep() == iterations:
		v.VoteToHalt()
	case v.Degree() == 0:
		p.dangling.Add(v, *v.Value)
	default:
		v.SendToNeighbours(*v.Value / float64(v.Degree()))
	}
}

func pageRankProgram(c vertex.Combiner[float64], cut bool) func() peer.Program {
	return func() peer.Program {
		p := pageRank{vertex.SumOf[float64]("dangling")}
		return vertex.Must(p, vertex.Config[float64, struct{}, float64]{
			Graph: graph.Config{Directed: true}, Combiner: c, Cut: cut, Aggregators: []vertex.Aggregate{p.dangling},
			Init: func(v *vertex.Vertex[float64, struct{}, float64]) float64 { return 1 / float64(v.Vertices()) },
		})
	}
}

func ranks(edges []graphtest.Edge) map[string]float64 {
	degree, rank := map[uint32]float64{}, map[uint32]float64{}
	for _, e := range edges {
		degree[e.Source]++
		rank[e.Source], rank[e.Target] = 0, 0
	}
	n := float64(len(rank))
	for v := range rank {
		rank[v] = 1 / n
	}
	for range iterations {
		dangling := 0.0
		for v, r := range rank {
			if degree[v] == 0 {
				dangling += r
			}
		}
		next := map[uint32]float64{}
		for v := range rank {
			next[v] = 0.15/n + 0.85*dangling/n
		}
		for _, e := range edges {
			next[e.Target] += 0.85 * rank[e.Source] / degree[e.Source]
		}
		rank = next
	}
	want := map[string]float64{}
	for v, r := range rank {
		want[fmt.Sprint(v)] = r
	}
	return want
}

func near(t *testing.T, what string, got map[string]string, want map[string]float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d vertices, want %d", what, len(got), len(want))
	}
	for id, w := range want {
		var g float64
		if _, err := fmt.Sscan(got[id], &g); err != nil || math.Abs(g-w) > 1e-9*w {
			t.Fatalf("%s: vertex %s has %q, want %v", what, id, got[id], w)
		}
	}
}

func TestPageRank(t *testing.T) {
	edges := graphtest.RMAT(10, 8, 4)
	want := ranks(edges)
	for name, c := range map[string]vertex.Combiner[float64]{"sum": vertex.Sum[float64](), "none": {}} {
		for _, cut := range []bool{false, true} {
			for _, size := range []int{1, 2, 3, 5, 8} {
				r := peertest.Run(t, size, pageRankProgram(c, cut), of(edges, false).reads(t, size))
				near(t, fmt.Sprintf("%s, cut %v, %d ranks", name, cut, size), values(t, r), want)
			}
		}
	}
}

// TestStar has a vertex with most of the edges.
func TestStar(t *testing.T) {
	var edges []graphtest.Edge
	for i := range uint32(5000) {
		edges = append(edges, graphtest.Edge{Source: 0, Target: i + 1}, graphtest.Edge{Source: i + 1, Target: i/2 + 1})
	}
	want := ranks(edges)
	for _, cut := range []bool{false, true} {
		r := peertest.Run(t, 4, pageRankProgram(vertex.Sum[float64](), cut), of(edges, false).reads(t, 4))
		near(t, fmt.Sprintf("cut %v", cut), values(t, r), want)
	}
}

// TestKills: law V2, bit by bit.
func TestKills(t *testing.T) {
	edges := graphtest.RMAT(9, 8, 5)
	l := of(edges, false)
	for _, c := range []vertex.Combiner[float64]{vertex.Sum[float64](), {}} {
		want := values(t, peertest.Run(t, 3, pageRankProgram(c, true), l.reads(t, 3)))
		died := 0
		for _, phase := range peertest.Phases {
			for _, step := range []int64{2, 11, 17, 23} {
				r := peertest.Gang{Size: 3, Every: 4, Config: l.reads(t, 3), Program: pageRankProgram(c, true),
					Kills: []peertest.Kill{{Rank: int(step) % 3, Superstep: step, Phase: phase}}}.Run(t)
				died += r.Incarnations - 1
				same(t, fmt.Sprintf("killed at %v of superstep %d", phase, step), values(t, r), want)
			}
		}
		// A checkpoint may be passed over while the last one is written, and who
		// was to die then lives.
		if died < 8 {
			t.Errorf("only %d of 16 died", died)
		}
	}
}

// distance is the shortest way from a vertex.
type distance struct{ source int64 }

func (d distance) Compute(v *vertex.Vertex[float64, float64, float64], in []float64) {
	least := math.Inf(1)
	if v.Superstep() == 0 && v.ID() == d.source {
		least = 0
	}
	for _, m := range in {
		least = min(least, m)
	}
	if least < *v.Value {
		*v.Value = least
		v.SendAlong(func(_ vertex.Ref, weight float64) float64 { return least + weight })
	}
	v.VoteToHalt()
}

func TestDistance(t *testing.T) {
	edges := graphtest.RMAT(9, 6, 6)
	source := edges[0].Source
	want := map[string]float64{fmt.Sprint(source): 0}
	for changed := true; changed; {
		changed = false
		for _, e := range edges {
			from, ok := want[fmt.Sprint(e.Source)]
			if to, known := want[fmt.Sprint(e.Target)]; ok && (!known || from+e.Weight < to) {
				want[fmt.Sprint(e.Target)], changed = from+e.Weight, true
			}
		}
	}
	for _, size := range []int{1, 3} {
		got := values(t, peertest.Run(t, size, func() peer.Program {
			return vertex.Must(distance{int64(source)}, vertex.Config[float64, float64, float64]{
				Graph: graph.Config{Directed: true, Weighted: true}, Combiner: vertex.Min[float64](),
				Init:   func(*vertex.Vertex[float64, float64, float64]) float64 { return math.Inf(1) },
				Format: func(v float64) string { return fmt.Sprint(v) },
			})
		}, of(edges, true).reads(t, size)))
		reached := 0
		for id, g := range got {
			w, ok := want[id]
			if ok != (g != "+Inf") || ok && fmt.Sprint(w) != g {
				t.Errorf("%d ranks: vertex %s has %s, want %v", size, id, g, w)
			}
			if ok {
				reached++
			}
		}
		if reached != len(want) {
			t.Errorf("%d vertices reached, want %d", reached, len(want))
		}
	}
}

// gossip sends text: who a vertex has heard of.
type gossip struct{}

func (gossip) Compute(v *vertex.Vertex[string, struct{}, string], in []string) {
	if v.Superstep() == 0 {
		v.SendToNeighbours(v.Name())
		return
	}
	slices.Sort(in)
	*v.Value = strings.Join(in, "+")
	v.VoteToHalt()
}

func TestText(t *testing.T) {
	l := lines{{"zoe ann", "bob ann"}, {"ann bob"}, {"cy zoe"}}
	want := map[string]string{"ann": "bob+zoe", "bob": "ann", "zoe": "cy", "cy": ""}
	for _, size := range []int{1, 2, 3} {
		for _, c := range []vertex.Combiner[string]{{}} {
			got := values(t, peertest.Run(t, size, func() peer.Program {
				return vertex.Must(gossip{}, vertex.Config[string, struct{}, string]{
					Graph: graph.Config{Directed: true}, Combiner: c, ValueCodec: vertex.Strings{}, MessageCodec: vertex.Strings{}})
			}, l.reads(t, size)))
			same(t, fmt.Sprint(size), got, want)
		}
	}
}

func TestTypeThatCannotTravel(t *testing.T) {
	_, err := vertex.New(gossip{}, vertex.Config[string, struct{}, string]{})
	if err == nil || !strings.Contains(err.Error(), "string") {
		t.Error(err)
	}
}

type panics struct{}

func (panics) Compute(v *vertex.Vertex[int64, struct{}, int64], _ []int64) {
	if v.ID() == 7 && v.Superstep() == 2 {
		panic("seven")
	}
}

func TestPanicNamesTheVertex(t *testing.T) {
	_, err := peertest.Gang{Size: 2, Config: lines{{"7 8"}, {"8 9"}}.reads(t, 2), Program: func() peer.Program {
		return vertex.Must(panics{}, vertex.Config[int64, struct{}, int64]{})
	}}.Try(t)
	if err == nil || !strings.Contains(err.Error(), "vertex 7, superstep 2") || !strings.Contains(err.Error(), "seven") {
		t.Error(err)
	}
}
