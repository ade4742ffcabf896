package algorithm

import (
	"context"
	"math"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// matrixOptions are the options of matvec.
type matrixOptions struct {
	Iterations int     `json:"iterations" about:"how many times the matrix is applied"`
	Normalize  bool    `json:"normalize" about:"divide by the length after each time: power iteration"`
	Tolerance  float64 `json:"tolerance" about:"with normalize: stop when no entry moves further; 0 never stops"`
	Transpose  bool    `json:"transpose" about:"apply the transposed matrix"`
	Seed       int     `json:"seed" about:"of a first vector of random entries from 0 to 1; 0: all entries are 1"`
}

func (o *matrixOptions) check(f *faults) {
	atLeast(f, "iterations", o.Iterations, 0)
	within(f, "tolerance", o.Tolerance, 0, math.MaxFloat64)
	if o.Tolerance > 0 && !o.Normalize {
		f.add("tolerance", "set normalize as well", "a tolerance without normalize has no meaning")
	}
}

func matrixVectors() []Algorithm {
	return []Algorithm{define("matvec",
		"a sparse matrix, edge by edge, times a vector, once or as power iteration",
		matrixOptions{Iterations: 1},
		func(c graph.Config, o matrixOptions) peer.Program {
			need := graph.Need{Out: !o.Transpose, In: o.Transpose, Weights: true, Room: graph.Room{Own: 28 + 16, Others: 8 + 9}}
			return &matrixVector{graphProgram: graphProgram{config: c, need: need}, options: o}
		})}
}

// matrixVector multiplies y = A x. An edge from i to j of weight w is the entry
// A(i,j) = w, 1 without weights; edges that are there several times add up. With
// normalize it is power iteration (von Mises and Pollaczek-Geiringer, 1929): x is
// divided by its Euclidean length after each time, and tends to an eigenvector of
// the eigenvalue of largest magnitude, if there is one.
//
// Each rank has rows of the matrix, and mirrors the entries of x that they need.
type matrixVector struct {
	graphProgram
	options matrixOptions
	vectorState
}

// vectorState is what a checkpoint keeps.
type vectorState struct {
	done   int64     // iterations
	ended  bool      // by the tolerance
	length float64   // of y before it was divided: the eigenvalue's magnitude
	vector []float64 // entries of own vertices
}

// Run writes a line (vertex, entry) for each vertex.
func (m *matrixVector) Run(ctx context.Context, p *peer.Peer) error {
	if p.Superstep() == 0 {
		m.vectorState = vectorState{}
	}
	if err := m.load(ctx, p); err != nil {
		return err
	}
	numbers, err := numberVertices(ctx, p, m.part)
	if err != nil {
		return err
	}
	rows := m.part.Out
	if m.options.Transpose {
		rows = m.part.In
	}
	mirror, err := newMirror(ctx, p, m.part, rows)
	if err != nil {
		return err
	}
	if m.vector == nil {
		m.begin(numbers)
	}
	if err := m.iterate(ctx, p, mirror, rows); err != nil {
		return err
	}
	if m.options.Normalize && p.Rank() == 0 {
		p.Log().Info("power iteration", "eigenvalue", m.length, "iterations", m.done)
	}
	return writeValues(p, m.part, m.vector)
}

// begin makes the first vector.
func (m *matrixVector) begin(numbers *numbers) {
	m.vector = make([]float64, m.part.N())
	for v := range m.vector {
		m.vector[v] = 1
		if m.options.Seed != 0 {
			m.vector[v] = unit(mix(mix(uint64(m.options.Seed)) ^ uint64(numbers.places[v])))
		}
	}
}

func (m *matrixVector) iterate(ctx context.Context, p *peer.Peer, mirror *mirror, rows *graph.CSR) error {
	column := wholeColumn[float64](m.part)
	squares := peer.Sum[float64](p, "matvec squares")
	moved := peer.Max[float64](p, "matvec moved")
	p.HoldCheckpoints(false)
	for m.done < int64(m.options.Iterations) && !m.ended {
		copy(own(m.part, column), m.vector)
		if err := exchange(ctx, mirror, column); err != nil {
			return err
		}
		next := make([]float64, len(m.vector))
		multiply(p.Cores(), rows, column, next)
		p.Edges(int64(rows.Edges()))
		if !m.options.Normalize {
			m.vector = next
			m.done++
			continue
		}
		if err := m.normalize(ctx, p, next, squares, moved); err != nil {
			return err
		}
	}
	return nil
}

// normalize divides next by its length and makes it the vector. It takes two
// Syncs, at which the vector is still the one before.
func (m *matrixVector) normalize(ctx context.Context, p *peer.Peer, next []float64, squares, moved *peer.Aggregator[float64]) error {
	sum := 0.0
	for _, y := range next {
		sum += y * y
	}
	squares.Add(sum)
	if err := p.Sync(ctx); err != nil {
		return err
	}
	length := math.Sqrt(squares.Value())
	far := 0.0
	for v := range next {
		if length > 0 {
			next[v] /= length
		}
		far = max(far, math.Abs(next[v]-m.vector[v]))
	}
	moved.Add(far)
	if err := p.Sync(ctx); err != nil {
		return err
	}
	m.length, m.vector = length, next
	m.done++
	m.ended = m.options.Tolerance > 0 && moved.Value() <= m.options.Tolerance
	return nil
}

// multiply applies rows to the column.
func multiply(cores int, rows *graph.CSR, column, next []float64) {
	share(cores, rows, func(_, from, to int) {
		for v := from; v < to; v++ {
			sum := 0.0
			if rows.Weights == nil {
				for _, t := range rows.Row(v) {
					sum += column[t]
				}
			} else {
				weights := rows.RowWeights(v)
				for i, t := range rows.Row(v) {
					sum += weights[i] * column[t]
				}
			}
			next[v] = sum
		}
	})
}

// Save keeps the vector.
func (m *matrixVector) Save(w *peer.SnapshotWriter) error {
	if err := m.saveGraph(w); err != nil {
		return err
	}
	ended := int64(0)
	if m.ended {
		ended = 1
	}
	return w.Put("vector", bytesOf([]int64{m.done, ended, int64(math.Float64bits(m.length))}), bytesOf(m.vector))
}

// Load goes on from a checkpoint.
func (m *matrixVector) Load(r *peer.SnapshotReader) error {
	if err := m.loadGraph(r); err != nil {
		return err
	}
	head, rest, err := readSection(r, "vector", 3)
	if err != nil {
		return err
	}
	m.done, m.ended, m.length = head[0], head[1] != 0, math.Float64frombits(uint64(head[2]))
	m.vector = columnOf[float64](rest)
	return nil
}
