package genetic

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Champion is the best individual so far.
type Champion[G any] struct {
	Genome     G
	Cost       float64
	Island     int
	Generation int64 // after which it was there
}

// New makes a program. Its result has a row for each island: its number, the
// genome of its best as JSON, and what that costs.
//
// Errors: Invalid, with every fault of the configuration.
func New[G any](p Problem[G], c Config) (peer.Keeper, error) {
	return newProgram(p, c, nil)
}

// newProgram makes a program that ends with what judge says of the champion.
func newProgram[G any](p Problem[G], c Config, judge func(Champion[G]) error) (*program[G], error) {
	if faults := c.Validate(); len(faults) > 0 {
		return nil, &core.Error{Kind: core.Invalid, What: "the genetic algorithm's configuration is not valid", Diagnostics: faults}
	}
	c.Defaults()
	return &program[G]{problem: p, c: c, judge: judge}, nil
}

// program is a genetic algorithm on one rank.
type program[G any] struct {
	problem Problem[G]
	c       Config
	judge   func(Champion[G]) error

	islands    []*island[G] // of this rank, by number
	generation int64        // that all islands have lived
	lived      int64        // in the superstep under way, or that ended last
	best       Champion[G]
	arriving   bool // a Sync is the last thing that happened
}

// Run implements peer.Program.
func (g *program[G]) Run(ctx context.Context, p *peer.Peer) error {
	best := peer.Custom(p, "genetic.best", Champion[G]{Cost: math.Inf(1), Island: -1}, better[G], g.champions())
	if p.Superstep() == 0 {
		g.settle(p)
	}
	for {
		if g.arriving {
			done, err := g.arrive(p, best.Value())
			if err != nil {
				return err
			}
			if done {
				return g.finish(p)
			}
		}
		g.lived = min(g.c.Migration.Every, g.c.Generations-g.generation)
		g.each(p.Cores(), func(s *island[G]) { s.evolve(g.problem, &g.c, g.lived) })
		for _, s := range g.islands {
			best.Add(Champion[G]{s.people[0].genome, s.people[0].cost, s.number, g.generation + g.lived})
			if err := g.emigrate(p, s); err != nil {
				return err
			}
		}
		p.Active(int64(len(g.islands)))
		p.Count("individuals", int64(len(g.islands)*g.c.Population)*g.lived)
		g.arriving = true
		if err := p.Sync(ctx); err != nil {
			return err
		}
	}
}

// settle draws the populations of this rank's islands.
func (g *program[G]) settle(p *peer.Peer) {
	g.islands, g.generation, g.arriving = nil, 0, false
	g.best = Champion[G]{Cost: math.Inf(1), Island: -1}
	for i := p.Rank(); i < g.c.Islands; i += p.Size() {
		g.islands = append(g.islands, &island[G]{number: i})
	}
	g.each(p.Cores(), func(s *island[G]) { *s = *newIsland(g.problem, &g.c, s.number) })
}

// each calls f for all islands, on so many cores.
func (g *program[G]) each(cores int, f func(*island[G])) {
	var wg sync.WaitGroup
	next := make(chan *island[G])
	for range min(cores, len(g.islands)) {
		wg.Go(func() {
			for s := range next {
				f(s)
			}
		})
	}
	for _, s := range g.islands {
		next <- s
	}
	close(next)
	wg.Wait()
}

// better keeps the lower cost; of equal ones the one that was there first, and
// then that of the lower island.
func better[G any](a, b Champion[G]) Champion[G] {
	if b.Cost < a.Cost || b.Cost == a.Cost && (a.Island < 0 || b.Generation == a.Generation && b.Island < a.Island) {
		return b
	}
	return a
}

// arrive takes what a Sync brought, and reports whether the search is over.
func (g *program[G]) arrive(p *peer.Peer, best Champion[G]) (done bool, err error) {
	g.generation += g.lived
	g.arriving = false
	if best.Cost < g.best.Cost || g.best.Island < 0 {
		g.best = best
	}
	switch {
	case g.generation >= g.c.Generations,
		g.c.Target != nil && g.best.Cost <= *g.c.Target,
		g.c.Patience > 0 && g.generation-g.best.Generation >= g.c.Patience:
		return true, nil
	}
	return false, g.immigrate(p)
}

// A group of migrants: uvarint island they come from, island they go to, how
// many; of each its cost, uint64 bits, and its genome, uvarint length and bytes.

// emigrate sends the best of an island to others.
func (g *program[G]) emigrate(p *peer.Peer, s *island[G]) error {
	if g.generation+g.lived >= g.c.Generations || g.c.Migration.Count == 0 {
		return nil
	}
	for _, to := range s.targets(&g.c) {
		b := binary.AppendUvarint(nil, uint64(s.number))
		b = binary.AppendUvarint(b, uint64(to))
		b, err := g.encode(b, s.people[:g.c.Migration.Count])
		if err != nil {
			return err
		}
		if err := p.Send(to%p.Size(), b); err != nil {
			return err
		}
	}
	return nil
}

// immigrate takes migrants in, in the order of the islands they come from.
func (g *program[G]) immigrate(p *peer.Peer) error {
	type group struct {
		from   uint64
		people []individual[G]
	}
	groups := map[int][]group{}
	for _, b := range p.Messages() {
		r := reader{b: b}
		from, to := r.uvarint(), int(r.uvarint())
		people, err := g.decode(&r)
		if err != nil {
			return err
		}
		groups[to] = append(groups[to], group{from, people})
	}
	for _, s := range g.islands {
		all := groups[s.number]
		slices.SortStableFunc(all, func(a, b group) int { return int(a.from) - int(b.from) })
		var people []individual[G]
		for _, x := range all {
			people = append(people, x.people...)
		}
		s.welcome(&g.c, people)
	}
	return nil
}

func (g *program[G]) encode(b []byte, people []individual[G]) ([]byte, error) {
	codec := g.problem.Codec()
	b = binary.AppendUvarint(b, uint64(len(people)))
	for _, x := range people {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x.cost))
		genome, err := codec.Append(nil, x.genome)
		if err != nil {
			return nil, err
		}
		b = append(binary.AppendUvarint(b, uint64(len(genome))), genome...)
	}
	return b, nil
}

func (g *program[G]) decode(r *reader) ([]individual[G], error) {
	codec := g.problem.Codec()
	var people []individual[G]
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		cost := math.Float64frombits(binary.LittleEndian.Uint64(r.bytes(8)))
		genome, err := codec.Decode(r.bytes(r.uvarint()))
		if err != nil {
			return nil, err
		}
		people = append(people, individual[G]{genome, cost})
	}
	return people, r.err
}

// champions is the codec of the best: cost, island, generation, genome.
func (g *program[G]) champions() peer.Codec[Champion[G]] {
	codec := g.problem.Codec()
	return peer.Codec[Champion[G]]{
		Append: func(b []byte, c Champion[G]) ([]byte, error) {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(c.Cost))
			b = binary.AppendVarint(b, int64(c.Island))
			b = binary.AppendVarint(b, c.Generation)
			if c.Island < 0 {
				return b, nil
			}
			return codec.Append(b, c.Genome)
		},
		Decode: func(b []byte) (c Champion[G], err error) {
			r := reader{b: b}
			c.Cost = math.Float64frombits(binary.LittleEndian.Uint64(r.bytes(8)))
			c.Island, c.Generation = int(r.varint()), r.varint()
			if r.err == nil && c.Island >= 0 {
				c.Genome, r.err = codec.Decode(r.b)
			}
			return c, r.err
		},
	}
}

// finish writes the best of each island, and has the champion judged.
func (g *program[G]) finish(p *peer.Peer) error {
	rows := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "island", Type: arrow.PrimitiveTypes.Int64}, {Name: "genome", Type: arrow.BinaryTypes.String},
		{Name: "cost", Type: arrow.PrimitiveTypes.Float64}}, nil))
	defer rows.Release()
	for _, s := range g.islands {
		text, err := json.Marshal(s.people[0].genome)
		if err != nil {
			return err
		}
		rows.Field(0).(*array.Int64Builder).Append(int64(s.number))
		rows.Field(1).(*array.StringBuilder).Append(string(text))
		rows.Field(2).(*array.Float64Builder).Append(s.people[0].cost)
	}
	rec := rows.NewRecord()
	defer rec.Release()
	if err := p.WriteRecord(rec); err != nil {
		return err
	}
	if p.Rank() == 0 {
		p.Log().Info(fmt.Sprintf("the best costs %g, of island %d, found by generation %d of %d", g.best.Cost, g.best.Island, g.best.Generation, g.generation))
		p.Count("generations", g.generation)
	}
	if g.judge == nil {
		return nil
	}
	return g.judge(g.best)
}

// Save implements peer.Keeper.
func (g *program[G]) Save(w *peer.SnapshotWriter) error {
	b := binary.AppendVarint(nil, g.generation)
	b = binary.AppendVarint(b, g.lived)
	champion, err := g.champions().Append(nil, g.best)
	if err != nil {
		return err
	}
	b = append(binary.AppendUvarint(b, uint64(len(champion))), champion...)
	b = binary.AppendUvarint(b, uint64(len(g.islands)))
	for _, s := range g.islands {
		b = binary.AppendUvarint(b, uint64(s.number))
		dice, err := s.source.MarshalBinary()
		if err != nil {
			return err
		}
		b = append(binary.AppendUvarint(b, uint64(len(dice))), dice...)
		if b, err = g.encode(b, s.people); err != nil {
			return err
		}
	}
	return w.Put("islands", b)
}

// Load implements peer.Keeper.
func (g *program[G]) Load(r *peer.SnapshotReader) error {
	in, err := r.Open("islands")
	if err != nil {
		return err
	}
	defer in.Close()
	b, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	x := reader{b: b}
	g.generation, g.lived = x.varint(), x.varint()
	if g.best, err = g.champions().Decode(x.bytes(x.uvarint())); err != nil {
		return err
	}
	g.islands = nil
	for n := x.uvarint(); n > 0 && x.err == nil; n-- {
		s := newDice[G](int(x.uvarint()))
		if err := s.source.UnmarshalBinary(x.bytes(x.uvarint())); err != nil {
			return err
		}
		if s.people, err = g.decode(&x); err != nil {
			return err
		}
		g.islands = append(g.islands, s)
	}
	g.arriving = true
	return x.err
}
