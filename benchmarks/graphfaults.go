package benchmarks

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/capstan-run/capstan/benchmarks/graph"
	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/core"
)

// emptySteps times supersteps in which nobody does anything, of 8 executors and
// of as many as there are cores. A sample's wall time is one superstep's.
func (b *bench) emptySteps(ctx context.Context) error {
	program, err := b.build(ctx, "emptysteps")
	if err != nil {
		return err
	}
	var list []contender
	for _, launcher := range b.Launchers {
		for _, n := range []int{2, 8} {
			p := place{state: b.fresh("state"), launcher: launcher}
			key := result.Key{Workload: result.Graph, Series: result.EmptySteps, Launcher: launcher, Executors: n}
			list = append(list, contender{key, func(ctx context.Context, s *result.Sample) error {
				output := b.fresh("out")
				doc, err := json.Marshal(map[string]any{"apiVersion": "capstan/v1", "kind": "BSP",
					"metadata": map[string]any{"name": "bench-empty"},
					"gang":     map[string]any{"size": n, "cpu": share(n), "memory": "256Mi"},
					"spec": map[string]any{"algorithm": map[string]any{"use": "emptysteps", "program": program},
						"checkpoint": map[string]any{"every": 0, "period": "0s"},
						"output":     map[string]any{"path": "file://" + output, "format": "text"}}})
				if err != nil {
					return err
				}
				if _, err := b.runJob(ctx, p, b.jobID(), doc, s); err != nil {
					return err
				}
				steps, err := graph.Steps(output)
				if err != nil {
					return err
				}
				s.Wall = graph.Typical(steps).Seconds()
				b.say("a superstep took %v", graph.Typical(steps))
				return os.RemoveAll(output)
			}})
		}
	}
	return b.alternate(ctx, list)
}

// checkpointed is how many iterations the jobs with checkpoints have.
const checkpointed = 50

// checkpoints are PageRank with and without.
func (o *onGraph) checkpoints() []contender {
	var list []contender
	for _, launcher := range o.Launchers {
		for _, c := range []struct {
			who   string
			every int64
		}{{result.NoCheckpoint, 0}, {result.Checkpointed, 5}} {
			list = append(list, o.ours(graph.PageRank, c.who, launcher, graph.Job{Executors: 2, Iterations: checkpointed, Every: c.every}))
		}
	}
	return list
}

// wants is the memory that an executor of two wants for PageRank: its edges and
// what it takes to sort them, and its vertices.
func (o *onGraph) wants() int64 { return o.Edges*24 + int64(o.Vertices)*64 }

// memories are PageRank with what it wants and with a third of that.
func (o *onGraph) memories() []contender {
	var list []contender
	for _, launcher := range o.Launchers {
		for _, c := range []struct {
			who   string
			bytes int64
		}{{result.GraphAmple, o.wants()}, {result.GraphThird, o.wants() / 3}} {
			list = append(list, o.ours(graph.PageRank, c.who, launcher, graph.Job{Executors: 2, Memory: core.Bytes(c.bytes).String()}))
		}
	}
	return list
}

// Rounds of the job that loses an executor, and how many supersteps are over
// when it does.
const killedRounds, killedAfter = 400, 100

// kills are jobs that lose an executor. A sample's wall time is that from the
// last superstep before the blow to the first after it.
func (o *onGraph) kills() []contender {
	var list []contender
	for _, launcher := range o.Launchers {
		key := o.key(graph.PageRank, result.GraphKilled)
		key.Launcher, key.Executors = launcher, 2
		list = append(list, contender{key, func(ctx context.Context, s *result.Sample) error {
			p, host, err := o.host(ctx, launcher, warmShapes)
			if err != nil {
				return err
			}
			defer host.Stop()
			return o.killed(ctx, p, s)
		}})
	}
	return list
}

// killed runs a job and kills an executor of it.
func (o *onGraph) killed(ctx context.Context, p place, s *result.Sample) error {
	id := o.jobID()
	var f *finished
	err := besides(ctx, func(ctx context.Context) error {
		k := killer{place: p, job: id, stage: "supersteps", least: killedAfter, turn: s.Repetition}
		return k.kill(ctx)
	}, func(ctx context.Context) (err error) {
		f, err = o.job(ctx, p, id, graph.Job{Algorithm: graph.PageRank, Executors: 2, Iterations: killedRounds, Every: 5}, s)
		return err
	})
	if err != nil {
		return err
	}
	gap := graph.Resumed(f.steps)
	if gap == 0 {
		return core.Errorf(core.Failed, "an executor was killed, and the job's supersteps tell of no second beginning").At(id)
	}
	s.Wall, s.Loop, s.Edges, s.Loading = gap.Seconds(), 0, 0, 0
	o.say("resumed after %v", gap.Round(time.Millisecond))
	return nil
}
