package algorithm

import (
	"context"
	"math"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/span"
	"github.com/capstan-run/capstan/frameworks/bsp/kernel"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// rankings are the algorithms that rank vertices.
func rankings() []Algorithm {
	return []Algorithm{
		define("pagerank", "how much of a random walk's time each vertex gets",
			pageRankOptions{Iterations: 10, Damping: 0.85}, newPageRank),
		define("personalised-pagerank", "the same of a walk that starts over at given vertices",
			personalOptions{Iterations: 20, Damping: 0.85}, newPersonalPageRank),
	}
}

type pageRankOptions struct {
	Iterations int     `json:"iterations" about:"how many there are, or at most, with a tolerance"`
	Damping    float64 `json:"damping" about:"the chance that the walk follows an edge"`
	Tolerance  float64 `json:"tolerance" about:"ends when ranks change by no more than this, summed over all vertices; 0: never"`
}

func (o *pageRankOptions) check(f *faults) {
	atLeast(f, "iterations", o.Iterations, 1)
	within(f, "damping", o.Damping, 0, 1)
	within(f, "tolerance", o.Tolerance, 0, math.MaxFloat64)
}

type personalOptions struct {
	Sources    []string `json:"sources" about:"the vertices to start over at, each as likely"`
	Iterations int      `json:"iterations" about:"how many there are, or at most, with a tolerance"`
	Damping    float64  `json:"damping" about:"the chance that the walk follows an edge"`
	Tolerance  float64  `json:"tolerance" about:"ends when ranks change by no more than this, summed over all vertices; 0: never"`
}

func (o *personalOptions) check(f *faults) {
	(&pageRankOptions{o.Iterations, o.Damping, o.Tolerance}).check(f)
	if len(o.Sources) == 0 {
		f.add("sources", "name at least one vertex", "no sources are given")
	}
}

func newPageRank(c graph.Config, o pageRankOptions) peer.Program {
	return newRanking(c, o, nil)
}

func newPersonalPageRank(c graph.Config, o personalOptions) peer.Program {
	sources := slices.Clone(o.Sources)
	slices.Sort(sources)
	return newRanking(c, pageRankOptions{o.Iterations, o.Damping, o.Tolerance}, slices.Compact(sources))
}

// ranking is PageRank: the walk goes on along an edge with the chance of the
// damping, and else, and from where no edge leads on, starts over at any vertex,
// or at any of the sources.
type ranking struct {
	graphProgram
	options pageRankOptions
	sources []string // nil: all vertices

	loop  kernel.Loop[float32, float64]
	ranks []float64 // of own vertices
	start []float64 // the chance to start over there; nil: the same for all
	even  float64   // that chance
}

func newRanking(c graph.Config, o pageRankOptions, sources []string) *ranking {
	r := &ranking{graphProgram: graphProgram{config: c}, options: o, sources: sources}
	r.loop.Kernel = kernel.Kernel[float32, float64]{
		Sum: kernel.PlusFirst, From: kernel.FromSources, Prepare: r.prepare, Apply: r.apply, Iterations: o.Iterations,
	}
	if o.Tolerance > 0 {
		r.loop.Until = func(s kernel.Step) bool { return s.Applied <= o.Tolerance }
	}
	r.need = r.loop.Need()
	r.need.Room.Own += 8
	if sources != nil {
		r.need.Room.Own += 8
	}
	return r
}

// Run writes a line (vertex, rank) for each vertex.
func (r *ranking) Run(ctx context.Context, p *peer.Peer) error {
	if p.Superstep() == 0 {
		r.ranks, r.loop.Position = nil, kernel.Position{}
	}
	if err := r.load(ctx, p); err != nil {
		return err
	}
	if err := r.begin(ctx, p); err != nil {
		return err
	}
	if err := r.loop.Run(ctx, p, r.part); err != nil {
		return err
	}
	return writeValues(p, r.part, r.ranks)
}

// begin sets the chances to start over, and the first ranks to them.
func (r *ranking) begin(ctx context.Context, p *peer.Peer) error {
	r.even = 1 / float64(max(r.part.Total(), 1))
	if r.sources != nil {
		at, err := findAll(ctx, p, r.part, r.sources)
		if err != nil {
			return err
		}
		r.start = make([]float64, r.part.N())
		for _, v := range at {
			r.start[v] = 1 / float64(len(r.sources))
		}
	}
	if r.ranks != nil {
		return nil
	}
	r.ranks = make([]float64, r.part.N())
	for v := range r.ranks {
		r.ranks[v] = r.startAt(v)
	}
	return nil
}

func (r *ranking) startAt(v int) float64 {
	if r.start == nil {
		return r.even
	}
	return r.start[v]
}

// prepare returns the ranks of vertices from which no edge leads on.
func (r *ranking) prepare(_ kernel.Step, in graph.Range, say []float32) float64 {
	dangling := 0.0
	degrees, ranks := r.part.OutDegree[in.First:in.End], r.ranks[in.First:in.End]
	for i, d := range degrees {
		if d == 0 {
			dangling += ranks[i]
			say[i] = 0
			continue
		}
		say[i] = float32(ranks[i] / float64(d))
	}
	return dangling
}

// apply returns by how much ranks change.
func (r *ranking) apply(s kernel.Step, in graph.Range, sums []float64) float64 {
	d := r.options.Damping
	again := 1 - d + d*s.Prepared
	change := 0.0
	for i, sum := range sums {
		v := in.First + i
		rank := again*r.startAt(v) + d*sum
		change += math.Abs(rank - r.ranks[v])
		r.ranks[v] = rank
	}
	return change
}

// Save keeps the ranks so far.
func (r *ranking) Save(w *peer.SnapshotWriter) error {
	if err := r.saveGraph(w); err != nil {
		return err
	}
	head := []float64{float64(r.loop.Iteration), r.loop.Applied}
	return w.Put("ranks", span.Bytes(head), span.Bytes(r.ranks))
}

// Load goes on from a checkpoint.
func (r *ranking) Load(in *peer.SnapshotReader) error {
	if err := r.loadGraph(in); err != nil {
		return err
	}
	_, rest, err := readSection(in, "ranks", 0)
	if err != nil {
		return err
	}
	values := span.Of[float64](rest)
	r.loop.Position = kernel.Position{Iteration: int(values[0]), Applied: values[1]}
	r.ranks = values[2:]
	return nil
}

// findAll finds which of the vertices of these ids are own, and that each is
// somebody's. It takes a Sync.
func findAll(ctx context.Context, p *peer.Peer, part *graph.Partition, ids []string) ([]int, error) {
	var own []int
	found := make([]*peer.Aggregator[bool], len(ids))
	for i, id := range ids {
		found[i] = peer.Any(p, "found "+id)
		v, ok := part.IDs.Find(id)
		if ok {
			own = append(own, v)
		}
		found[i].Add(ok)
	}
	if err := p.Sync(ctx); err != nil {
		return nil, err
	}
	for i, id := range ids {
		if !found[i].Value() {
			return nil, core.Errorf(core.Invalid, "the graph has no vertex %q", id).At("spec.algorithm.with").
				Do("name a vertex as the input does")
		}
	}
	return own, nil
}
