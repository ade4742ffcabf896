// Command vertexrank is PageRank as a vertex program with Compute, with what a
// user would write and no more. It expects a graph without dangling vertices.
package main

import (
	"fmt"

	"github.com/capstan-run/capstan/frameworks/bsp"
	"github.com/capstan-run/capstan/frameworks/bsp/vertex"
)

type pageRank struct{ iterations int64 }

func (p pageRank) Compute(v *vertex.Vertex[float64, struct{}, float64], in []float64) {
	if v.Superstep() == 0 {
		*v.Value = 1 / float64(v.Vertices())
	} else {
		sum := 0.0
		for _, m := range in {
			sum += m
		}
		*v.Value = 0.15/float64(v.Vertices()) + 0.85*sum
	}
	if v.Superstep() < p.iterations {
		v.SendToNeighbours(*v.Value / float64(v.Degree()))
	} else {
		v.VoteToHalt()
	}
}

func main() {
	bsp.Main(bsp.Job{Name: "vertexrank", Program: func(o bsp.Options) (bsp.Program, error) {
		iterations := int64(10)
		if n, ok := o.Body.Algorithm.With["iterations"]; ok {
			if _, err := fmt.Sscan(fmt.Sprint(n), &iterations); err != nil {
				return nil, fmt.Errorf("iterations: %w", err)
			}
		}
		return vertex.New(pageRank{iterations}, vertex.Config[float64, struct{}, float64]{
			Graph: o.Graph(), Combiner: vertex.Sum[float64](), Cut: true,
		})
	}})
}
