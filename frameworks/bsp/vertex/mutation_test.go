package vertex_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/bsp/vertex"
)

// chain grows a chain of vertices behind the last one, one a superstep, each
// with an edge to the first, and sends along all edges at the end.
type chain struct{ length int64 }

type chained = vertex.Vertex[int64, struct{}, int64]

func (c chain) Compute(v *chained, in []int64) {
	step := v.Superstep()
	for _, m := range in {
		*v.Value += m
	}
	switch {
	case step < c.length && v.ID() == step:
		v.AddVertex(vertex.Int(step+1), 0)
		v.SendTo(vertex.Int(0), 1)
	case step == c.length:
		// Whoever was added makes the edge that it has.
		for _, to := range v.Neighbours() {
			if to == v.Ref() {
				v.RemoveEdge(v.Ref(), to)
			}
		}
		v.SendTo(vertex.Int(0), 100)
	case step == c.length+1 && v.ID() == 0:
		v.RemoveVertex(v.Ref())
	}
	if step > c.length+1 {
		v.VoteToHalt()
	}
}

func TestMutations(t *testing.T) {
	want := map[string]string{}
	for i := 1; i <= 6; i++ {
		want[fmt.Sprint(i)] = "0"
	}
	program := func() peer.Program {
		return vertex.Must(chain{6}, vertex.Config[int64, struct{}, int64]{Graph: graph.Config{Directed: true}, Names: true})
	}
	l := lines{{"0 0"}}
	for _, size := range []int{1, 2, 3, 5} {
		r := peertest.Run(t, size, program, l.reads(t, size))
		same(t, fmt.Sprint(size), values(t, r), want)
		for step := int64(2); step < 12; step += 3 {
			r := peertest.Gang{Size: size, Every: 2, Config: l.reads(t, size), Program: program,
				Kills: []peertest.Kill{{Rank: size - 1, Superstep: step, Phase: peertest.AtStart}}}.Run(t)
			same(t, fmt.Sprintf("%d, killed at %d", size, step), values(t, r), want)
		}
	}
}

// triangle adds an edge, and counts what comes along it.
type triangle struct{}

func (triangle) Compute(v *vertex.Vertex[int64, int64, int64], in []int64) {
	switch v.Superstep() {
	case 0:
		v.SendToNeighbours(int64(v.Ref()))
	case 1:
		for _, from := range in {
			v.AddEdge(v.Ref(), vertex.Ref(from), 40)
		}
	case 2:
		v.SendAlong(func(_ vertex.Ref, e int64) int64 { return e })
	default:
		for _, m := range in {
			*v.Value += m
		}
		if v.Superstep() == 3 {
			*v.Value += v.Edges() * 1000
		}
		v.VoteToHalt()
	}
}

// merging lets no two edges lie side by side.
type merging struct {
	vertex.DefaultResolver[int64, int64]
}

func (merging) Parallel(has, asked int64) (int64, bool) { return has + asked, false }

func TestEdges(t *testing.T) {
	l := lines{{"1 2 3", "2 1 4"}, {"2 3 5"}}
	for _, size := range []int{1, 2, 3} {
		for _, c := range []struct {
			resolve vertex.Resolver[int64, int64]
			want    map[string]string
		}{
			// 1→2 is 3, 2→1 is 4, 2→3 is 5, and each is answered by one of 40.
			{nil, map[string]string{"1": "6044", "2": "6083", "3": "6005"}},
			{merging{}, map[string]string{"1": "4044", "2": "4083", "3": "4005"}},
		} {
			got := values(t, peertest.Run(t, size, func() peer.Program {
				return vertex.Must(triangle{}, vertex.Config[int64, int64, int64]{Graph: graph.Config{Directed: true, Weighted: true}, Resolve: c.resolve,
					Edge: func(w float64) int64 { return int64(w) }})
			}, l.reads(t, size)))
			same(t, fmt.Sprint(size), got, c.want)
		}
	}
}

// ghost sends to a vertex that was removed.
type ghost struct{}

func (ghost) Compute(v *chained, in []int64) {
	for _, m := range in {
		*v.Value += m
	}
	switch {
	case v.Superstep() == 0 && v.ID() == 1:
		v.RemoveVertex(v.Ref())
	case v.Superstep() == 1:
		v.SendToNeighbours(5)
	case v.Superstep() > 2:
		v.VoteToHalt()
	}
}

type reviving struct {
	vertex.DefaultResolver[int64, struct{}]
}

func (reviving) Missing() (int64, bool) { return 70, true }

func TestRemovedVertex(t *testing.T) {
	l := lines{{"1 2", "2 1", "3 1"}}
	for _, combiner := range []vertex.Combiner[int64]{{}, vertex.Sum[int64]()} {
		for _, c := range []struct {
			resolve vertex.Resolver[int64, struct{}]
			want    map[string]string
		}{
			{nil, map[string]string{"2": "0", "3": "0"}},
			{reviving{}, map[string]string{"1": "80", "2": "0", "3": "0"}},
		} {
			for _, size := range []int{1, 2, 3} {
				got := values(t, peertest.Run(t, size, func() peer.Program {
					return vertex.Must(ghost{}, vertex.Config[int64, struct{}, int64]{Graph: graph.Config{Directed: true}, Combiner: combiner, Resolve: c.resolve})
				}, l.reads(t, size)))
				same(t, fmt.Sprint(size), got, c.want)
			}
		}
	}
}

// watched is stopped by its master.
type watched struct {
	sum    *vertex.Aggregator[int64]
	sticky *vertex.Aggregator[int64]
	most   *vertex.Aggregator[string]
}

func (w watched) Compute(v *chained, _ []int64) {
	w.sum.Add(v, 1)
	w.sticky.Add(v, 1)
	w.most.Add(v, v.Name())
	*v.Value = w.sticky.Value()*100 + w.sum.Value()
}

func TestMaster(t *testing.T) {
	l := lines{{"1 2"}, {"2 9"}}
	var seen [][]string
	for _, size := range []int{1, 2, 3} {
		var log []string
		var made atomic.Bool // the program of one rank keeps the log
		got := values(t, peertest.Run(t, size, func() peer.Program {
			w := watched{vertex.SumOf[int64]("sum"), vertex.SumOf[int64]("sticky").Sticky(),
				vertex.CustomOf("most", "", func(a, b string) string { return max(a, b) }, peer.JSON[string]())}
			first := !made.Swap(true)
			return vertex.Must(w, vertex.Config[int64, struct{}, int64]{
				Aggregators: []vertex.Aggregate{w.sum, w.sticky, w.most},
				Master: func(m *vertex.Master) error {
					if first {
						log = append(log, fmt.Sprint([]any{m.Superstep(), m.Vertices(), m.Edges(), m.Active(), w.sum.Value(), w.sticky.Value(), w.most.Value()}))
					}
					if m.Superstep() == 3 {
						m.Halt()
					}
					return nil
				}})
		}, l.reads(t, size)))
		same(t, fmt.Sprint(size), got, map[string]string{"1": "603", "2": "603", "9": "603"})
		seen = append(seen, log)
	}
	want := "[[0 3 4 3 0 0 ] [1 3 4 3 3 3 9] [2 3 4 3 3 6 9] [3 3 4 3 3 9 9]]"
	if fmt.Sprint(seen[0]) != want {
		t.Errorf("the master saw %v, want %v", seen[0], want)
	}
}
