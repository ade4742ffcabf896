// Command pagerank is PageRank as a vertex program of its own, and a job of its
// own:
//
//	pagerank -output file:///tmp/ranks file:///data/edges
package main

import (
	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp"
	"github.com/capstan-run/capstan/frameworks/bsp/vertex"
)

// pageRank spreads each vertex' rank over its edges. What vertices without edges
// have is spread over all.
type pageRank struct {
	iterations int64
	dangling   *vertex.Aggregator[float64]
}

type page = vertex.Vertex[float64, struct{}, float64]

// Compute implements vertex.Computer.
func (p pageRank) Compute(v *page, in []float64) {
	n := float64(v.Vertices())
	if v.Superstep() > 0 {
		sum := p.dangling.Value() / n
		for _, m := range in {
			sum += m
		}
		*v.Value = 0.15/n + 0.85*sum
	}
	switch {
	case v.Superstep() == p.iterations:
		v.VoteToHalt()
	case v.Degree() == 0:
		p.dangling.Add(v, *v.Value)
	default:
		v.SendToNeighbours(*v.Value / float64(v.Degree()))
	}
}

func main() {
	bsp.Main(bsp.Job{
		Name: "pagerank-by-vertex",
		Gang: core.Gang{Size: 2},
		Program: func(o bsp.Options) (bsp.Program, error) {
			p := pageRank{iterations: 10, dangling: vertex.SumOf[float64]("dangling")}
			return vertex.New(p, vertex.Config[float64, struct{}, float64]{
				Graph: o.Graph(), Cut: true, Combiner: vertex.Sum[float64](), Aggregators: []vertex.Aggregate{p.dangling},
				Init: func(v *page) float64 { return 1 / float64(v.Vertices()) },
			})
		},
	})
}
