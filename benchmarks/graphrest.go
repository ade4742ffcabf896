package benchmarks

import (
	"context"

	"github.com/capstan-run/capstan/benchmarks/graph"
	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/core"
)

// rest weighs what PageRank's executors hold between two supersteps.
func (o *onGraph) rest(ctx context.Context) error {
	program, err := o.build(ctx, "atrest")
	if err != nil {
		return err
	}
	var list []contender
	for _, launcher := range o.Launchers {
		p := place{state: o.fresh("state"), launcher: launcher}
		key := o.key(graph.PageRank, result.GraphAtRest)
		key.Launcher, key.Executors = launcher, 2
		list = append(list, contender{key, func(ctx context.Context, s *result.Sample) error {
			f, err := o.job(ctx, p, o.jobID(), graph.Job{Algorithm: graph.AtRest, Program: program, Executors: s.Executors, Every: 5}, s)
			if err != nil {
				return err
			}
			s.Held = f.Outcome.Report.Counters[graph.RestCounter]
			if s.Held <= 0 {
				return core.Errorf(core.Internal, "the ranks said that they hold %d bytes", s.Held).At(string(f.ID))
			}
			s.Stored, s.Arrays = 2*o.Edges, o.arrays(s.Executors)
			s.Loop, s.Loading, s.Edges = 0, 0, 0 // the scales took some of it
			return nil
		}})
	}
	return o.alternate(ctx, list)
}

// arrays is what PageRank is known to hold in so many executors: of an edge its
// target; of a vertex where its row begins, its place and degree, its rank, what it
// has said last and, in each executor, what it says.
func (o *onGraph) arrays(executors int) int64 {
	return 2*o.Edges*4 + int64(o.Vertices)*int64(8+4+4+8+4+4*executors)
}
