package genetic

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Real is a problem over vectors of real numbers within bounds. Two are crossed
// by simulated binary crossover, and mutated by polynomial mutation of each
// number with probability 1/Dimensions (Deb and Agrawal, 1995; Deb and Goyal,
// 1996), with distribution indexes of 15 and 20. One mutation in ten draws the
// number anew, which leads out of a local optimum that is far from a better one.
type Real struct {
	Dimensions int
	Low, High  float64
	Value      func(x []float64) float64
}

const (
	crossoverIndex = 15
	mutationIndex  = 20
	redraw         = 10
)

// New implements [Problem].
func (p Real) New(r *rand.Rand) []float64 {
	x := make([]float64, p.Dimensions)
	for i := range x {
		x[i] = p.Low + (p.High-p.Low)*r.Float64()
	}
	return x
}

// Cost implements [Problem].
func (p Real) Cost(x []float64) float64 { return p.Value(x) }

// Cross implements [Problem].
func (p Real) Cross(r *rand.Rand, a, b []float64) ([]float64, []float64) {
	c, d := slices.Clone(a), slices.Clone(b)
	for i := range c {
		if r.IntN(2) == 0 {
			continue
		}
		u := r.Float64()
		beta := math.Pow(2*u, 1.0/(crossoverIndex+1))
		if u > 0.5 {
			beta = math.Pow(1/(2*(1-u)), 1.0/(crossoverIndex+1))
		}
		c[i] = p.within(((1+beta)*a[i] + (1-beta)*b[i]) / 2)
		d[i] = p.within(((1-beta)*a[i] + (1+beta)*b[i]) / 2)
	}
	return c, d
}

// Mutate implements [Problem].
func (p Real) Mutate(r *rand.Rand, x []float64) []float64 {
	x = slices.Clone(x)
	for i := range x {
		if r.IntN(len(x)) != 0 {
			continue
		}
		if r.IntN(redraw) == 0 {
			x[i] = p.Low + (p.High-p.Low)*r.Float64()
			continue
		}
		u := r.Float64()
		delta := math.Pow(2*u, 1.0/(mutationIndex+1)) - 1
		if u > 0.5 {
			delta = 1 - math.Pow(2*(1-u), 1.0/(mutationIndex+1))
		}
		x[i] = p.within(x[i] + delta*(p.High-p.Low))
	}
	return x
}

func (p Real) within(x float64) float64 { return min(max(x, p.Low), p.High) }

// Codec implements [Problem].
func (p Real) Codec() peer.Codec[[]float64] {
	return peer.Codec[[]float64]{
		Append: func(b []byte, x []float64) ([]byte, error) {
			for _, v := range x {
				b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
			}
			return b, nil
		},
		Decode: func(b []byte) ([]float64, error) {
			if len(b) != 8*p.Dimensions {
				return nil, core.Errorf(core.Internal, "a vector of %d bytes for %d dimensions", len(b), p.Dimensions).At("genetic algorithm")
			}
			x := make([]float64, p.Dimensions)
			for i := range x {
				x[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
			}
			return x, nil
		},
	}
}
