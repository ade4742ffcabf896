package benchmarks

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/benchmarks/graph"
	"github.com/capstan-run/capstan/benchmarks/meter"
	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/core"
)

// gangs runs the gang sizes, partitioners and launchers that must give one answer.
// That is no matter of time, so each runs once, on a host that stays.
func (o *onGraph) gangs(ctx context.Context) (err error) {
	var list []contender
	var hosts []*meter.Server
	defer func() { err = stop(err, hosts) }()
	for _, launcher := range o.Launchers {
		p, host, err := o.host(ctx, launcher, 0)
		if err != nil {
			return err
		}
		hosts = append(hosts, host)
		for _, algorithm := range o.bench.Graph.Algorithms {
			for _, n := range []int{1, 2, 3, 5, 8} {
				for _, partition := range []string{"edges", "hash", "range"} {
					list = append(list, o.oursAt(p, algorithm, result.GraphParted+partition, graph.Job{Executors: n, Partition: partition}))
				}
			}
		}
	}
	return o.rounds(ctx, 1, list)
}

// mostForNetworkX is the greatest scale at which NetworkX is tried: an edge takes
// it most of a kilobyte.
const mostForNetworkX = 14

func (o *onGraph) knownToNetworkX() bool { return o.networkX != nil && o.Scale <= mostForNetworkX }

// converged is how many iterations bring PageRank to where NetworkX's ends, within
// what answers may differ by.
const converged = 100

// agreements holds what NetworkX knows against it, on the graph and on a directed one.
func (o *onGraph) agreements(ctx context.Context) (err error) {
	if !o.knownToNetworkX() {
		return nil
	}
	directed := o.fresh("directed.txt")
	if err := o.Direct(directed); err != nil {
		return err
	}
	var list []contender
	var hosts []*meter.Server
	defer func() { err = stop(err, hosts) }()
	for _, launcher := range o.Launchers {
		p, host, err := o.host(ctx, launcher, 0)
		if err != nil {
			return err
		}
		hosts = append(hosts, host)
		for _, algorithm := range []string{graph.PageRank, graph.WCC, graph.BFS, graph.SSSP, graph.LCC, graph.Triangles, graph.KCore, graph.MST, graph.Matching} {
			list = append(list, o.agreement(p, graph.Job{Algorithm: algorithm}))
		}
		for _, algorithm := range []string{graph.PageRank, graph.WCC, graph.SCC, graph.BFS, graph.SSSP} {
			list = append(list, o.agreement(p, graph.Job{Algorithm: algorithm, Directed: directed}))
		}
	}
	return o.rounds(ctx, 1, list)
}

func (o *onGraph) agreement(p place, j graph.Job) contender {
	name := j.Algorithm
	if j.Directed != "" {
		name += " directed"
	}
	j.Executors, j.Iterations = 2, converged
	key := o.key(name, result.GraphAnswers)
	key.Launcher, key.Executors = p.launcher, j.Executors
	return contender{key, func(ctx context.Context, s *result.Sample) error {
		f, err := o.execute(ctx, p, o.jobID(), j, s)
		if err != nil {
			return err
		}
		if err := o.judge(ctx, j, f.output); err != nil {
			return err
		}
		return os.RemoveAll(f.output)
	}}
}

// judge holds a job's output against NetworkX, or lets it judge where there are
// several right answers.
func (o *onGraph) judge(ctx context.Context, j graph.Job, output string) error {
	input, ways, theirs := o.Text, "undirected", o.fresh("answer")
	if j.Directed != "" {
		input, ways = j.Directed, "directed"
	}
	args := append(slices.Clone(o.networkX), "check-"+j.Algorithm, input, theirs, o.source(), ways, output)
	if said, err := answer(ctx, args...); err != nil {
		return core.Errorf(core.Failed, "NetworkX does not agree with the answer of %s, %s: %v", j.Algorithm, ways,
			strings.TrimSpace(fmt.Sprintf("%v %s", err, said))).At(output)
	}
	if j.Algorithm == graph.MST || j.Algorithm == graph.Matching {
		return nil
	}
	want, err := graph.Read(theirs, o.Vertices)
	if err != nil {
		return err
	}
	got, err := graph.Read(output, o.Vertices)
	if err != nil {
		return err
	}
	if err := graph.Differ(j.Algorithm, want, got); err != nil {
		return core.Errorf(core.Failed, "the answer of %s, %s, is not NetworkX's: %v", j.Algorithm, ways, err).At(output)
	}
	return os.Remove(theirs)
}
