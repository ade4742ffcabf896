package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/capstan-run/capstan/benchmarks/graph"
	"github.com/capstan-run/capstan/benchmarks/meter"
	"github.com/capstan-run/capstan/benchmarks/peers"
	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/core"
)

// GraphConfig is what the graph workload runs.
type GraphConfig struct {
	Scales     []int
	Algorithms []string
	Parts      []string      // see graphParts
	Patience   time.Duration // with a run of a peer; one that takes longer is given up
}

// graphParts are the parts of the graph workload.
func graphParts() []string {
	return []string{"tables", "gangs", "answers", "rest", "empty", "checkpoint", "kill", "memory"}
}

// lateError is of a contender that was given up: the rest goes on.
type lateError struct{ after time.Duration }

func (e *lateError) Error() string { return fmt.Sprintf("not finished, > %.0f s", e.after.Seconds()) }

// onGraph is the workload over one graph.
type onGraph struct {
	*bench
	*graph.Graph
	vertexProgram, single, cpp string   // programs; "" where there is none
	networkX                   []string // command
	answers                    map[string]graph.Answer
}

// graph is the workload of that name.
func (b *bench) graph(ctx context.Context) error {
	o := onGraph{bench: b}
	var err error
	if o.vertexProgram, err = b.build(ctx, "vertexrank"); err != nil {
		return err
	}
	// The answers are its, whether or not it is timed.
	if o.single, err = b.build(ctx, "graphsingle"); err != nil {
		return err
	}
	if slices.Contains(b.Peers, "cpp") {
		if _, err := exec.LookPath("g++"); err != nil {
			b.say("NO g++ HERE: the C++ loop is left out")
			b.note("No g++ was found: the C++ loop is left out.")
		} else if o.cpp, err = peers.CompilePageRank(ctx, b.work); err != nil {
			return err
		}
	}
	if slices.Contains(b.Peers, "networkx") {
		b.say("networkx: find or install")
		if o.networkX, err = peers.InstallNetworkX(ctx, b.Cache); err != nil {
			return err
		}
	}
	if slices.Contains(b.Graph.Parts, "empty") {
		if err := b.emptySteps(ctx); err != nil {
			return err
		}
	}
	for _, scale := range b.Graph.Scales {
		b.say("graph of scale %d: find or make", scale)
		if o.Graph, err = graph.Make(ctx, b.Cache, scale); err != nil {
			return err
		}
		o.answers = map[string]graph.Answer{}
		if err := o.parts(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (o *onGraph) parts(ctx context.Context) error {
	alternating := func(list func() []contender) func(context.Context) error {
		return func(ctx context.Context) error { return o.alternate(ctx, list()) }
	}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{"tables", alternating(o.tables)}, {"gangs", o.gangs}, {"answers", o.agreements}, {"rest", o.rest}, {"checkpoint", alternating(o.checkpoints)},
		{"memory", alternating(o.memories)}, {"kill", alternating(o.kills)}} {
		if !slices.Contains(o.bench.Graph.Parts, part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tables are all algorithms by all who know them.
func (o *onGraph) tables() []contender {
	var list []contender
	for _, algorithm := range o.bench.Graph.Algorithms {
		for _, launcher := range o.Launchers {
			for _, n := range o.bench.Executors {
				list = append(list, o.ours(algorithm, result.GraphKernel, launcher, graph.Job{Executors: n}))
			}
		}
		list = append(list, o.others(algorithm)...)
	}
	return list
}

func (o *onGraph) key(algorithm, who string) result.Key {
	return result.Key{Workload: result.Graph, Series: result.GraphSeries(algorithm, who), Scale: o.Scale}
}

// ours is a job of Capstan's, with a host started for the occasion.
func (o *onGraph) ours(algorithm, who, launcher string, j graph.Job) contender {
	return o.oursAt(place{state: o.fresh("state"), launcher: launcher}, algorithm, who, j)
}

// oursAt is a job of Capstan's at a place.
func (o *onGraph) oursAt(p place, algorithm, who string, j graph.Job) contender {
	key := o.key(algorithm, who)
	key.Launcher, key.Executors = p.launcher, j.Executors
	j.Algorithm = algorithm
	return contender{key, func(ctx context.Context, s *result.Sample) error {
		_, err := o.job(ctx, p, o.jobID(), j, s)
		return err
	}}
}

// finished is a job that has ended well.
type finished struct {
	*core.Job
	steps  []graph.Step
	output string
}

// job runs a job once, checks its answer and fills s from its supersteps. Its
// output is removed.
func (o *onGraph) job(ctx context.Context, p place, id string, j graph.Job, s *result.Sample) (*finished, error) {
	f, err := o.execute(ctx, p, id, j, s)
	if err != nil {
		return nil, err
	}
	if err := o.check(ctx, j.Algorithm, j.Rounds(), f.output); err != nil {
		return nil, err
	}
	return f, os.RemoveAll(f.output)
}

// execute is job without the check.
func (o *onGraph) execute(ctx context.Context, p place, id string, j graph.Job, s *result.Sample) (*finished, error) {
	f := &finished{output: o.fresh("out")}
	j.CPU, j.Output = share(j.Executors), f.output
	if j.Program == "" {
		j.Program = o.vertexProgram
	}
	if j.Memory == "" {
		j.Memory = o.ample()
	}
	doc, err := j.Document(o.Graph)
	if err != nil {
		return nil, err
	}
	if f.Job, err = o.runJob(ctx, p, id, doc, s); err != nil {
		return nil, err
	}
	if f.steps, err = graph.Steps(j.Output); err != nil {
		return nil, err
	}
	loading, loop := graph.Times(f.steps)
	s.Loading, s.Loop = loading.Seconds(), loop.Seconds()
	s.Edges = o.crossed(j.Algorithm, j.Rounds())
	if ranksOf(f.steps) > ranksOf(o.result.Steps) {
		o.result.Steps = f.steps
	}
	return f, nil
}

// ranksOf is how many ranks took the supersteps of a job.
func ranksOf(steps []graph.Step) int {
	n := 0
	for _, s := range steps {
		n = max(n, s.Rank+1)
	}
	return n
}

// ample is more memory for an executor than a job here needs.
func (o *onGraph) ample() string {
	return core.Bytes(max(512<<20, o.Edges*40)).String()
}

// crossed is how many edges an algorithm goes over.
func (o *onGraph) crossed(algorithm string, rounds int) int64 {
	switch algorithm {
	case graph.PageRank, graph.Compute, graph.AtRest, graph.CDLP:
		return 2 * o.Edges * int64(rounds)
	}
	return 2 * o.Edges
}

// others are the peers that know an algorithm.
func (o *onGraph) others(algorithm string) []contender {
	var list []contender
	add := func(who string, command func(ctx context.Context, output, scratch string) (args, env []string, err error)) {
		list = append(list, contender{o.key(algorithm, who), func(ctx context.Context, s *result.Sample) error {
			return o.peer(ctx, algorithm, command, s)
		}})
	}
	if slices.Contains(o.Peers, "single") && algorithm != graph.Compute {
		add(result.Single, func(_ context.Context, output, _ string) (args, env []string, err error) {
			return o.singly(algorithm, graph.Iterations, output), nil, nil
		})
	}
	if o.cpp != "" && algorithm == graph.PageRank {
		add(result.CPP, func(_ context.Context, output, _ string) (args, env []string, err error) {
			return []string{o.cpp, o.Text, output, strconv.Itoa(graph.Iterations)}, []string{"OMP_NUM_THREADS=2"}, nil
		})
	}
	if o.knownToNetworkX() && algorithm != graph.Compute && algorithm != graph.CDLP {
		add("NetworkX", func(_ context.Context, output, _ string) (args, env []string, err error) {
			return append(slices.Clone(o.networkX), algorithm, o.Text, output, o.source()), nil, nil
		})
	}
	if o.spark != nil && algorithm != graph.Compute {
		add(result.SparkGraph, func(ctx context.Context, output, scratch string) (args, env []string, err error) {
			return o.spark.Graph(ctx, runtime.NumCPU(), algorithm, o.Text, output, scratch, o.Source)
		})
	}
	return list
}

func (o *onGraph) source() string { return strconv.FormatUint(uint64(o.Source), 10) }

func (o *onGraph) singly(algorithm string, rounds int, output string) []string {
	return []string{o.single, algorithm, o.Text, output, o.source(), strconv.Itoa(rounds)}
}

// peer runs a peer once, and checks its answer.
func (o *onGraph) peer(ctx context.Context, algorithm string, command func(ctx context.Context, output, scratch string) (args, env []string, err error), s *result.Sample) error {
	output, scratch := o.fresh("out"), o.fresh("scratch")
	if err := os.Mkdir(scratch, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	args, env, err := command(ctx, output, scratch)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, o.bench.Graph.Patience)
	defer cancel()
	printed, cost, err := o.meter.Run(bounded, meter.Command{Args: args, Env: env, Dir: o.work})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return &lateError{o.bench.Graph.Patience}
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, printed)
	}
	if s.Loading, s.Loop, err = peers.Loop(printed); err != nil {
		return err
	}
	s.Wall, s.CPU, s.Edges = cost.Wall.Seconds(), cost.CPU.Seconds(), o.crossed(algorithm, graph.Iterations)
	if err := o.check(ctx, algorithm, graph.Iterations, output); err != nil {
		return err
	}
	return os.RemoveAll(output)
}

// check holds an output against the single-threaded program's.
func (o *onGraph) check(ctx context.Context, algorithm string, rounds int, output string) error {
	if algorithm == graph.Compute || algorithm == graph.AtRest {
		algorithm = graph.PageRank
	}
	name := fmt.Sprintf("%s-%d", algorithm, rounds)
	if o.answers[name] == nil {
		file := o.fresh("answer")
		if _, err := answer(ctx, o.singly(algorithm, rounds, file)...); err != nil {
			return err
		}
		want, err := graph.Read(file, o.Vertices)
		if err != nil {
			return err
		}
		o.answers[name] = want
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	got, err := graph.Read(output, o.Vertices)
	if err != nil {
		return err
	}
	if err := graph.Differ(algorithm, o.answers[name], got); err != nil {
		return core.Errorf(core.Failed, "the answer of %s is wrong: %v", algorithm, err).At(output)
	}
	return nil
}
