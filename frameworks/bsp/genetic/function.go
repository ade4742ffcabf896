package genetic

import (
	"fmt"
	"math"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Function is a benchmark function whose least value is known.
type Function struct {
	Name      string
	Low, High float64 // of every dimension
	Value     func(x []float64) float64
	Optimum   float64 // the least value; at At in every dimension
	At        float64
}

// Functions are the benchmark functions, by name. Their forms and bounds are
// those of Jamil and Yang: A literature survey of benchmark functions for global
// optimisation problems (2013).
func Functions() []Function {
	return []Function{
		{"ackley", -32.768, 32.768, ackley, 0, 0},
		{"griewank", -600, 600, griewank, 0, 0},
		{"rastrigin", -5.12, 5.12, rastrigin, 0, 0},
		{"rosenbrock", -5, 10, rosenbrock, 0, 1},
		{"schwefel", -500, 500, schwefel, 0, 420.968746},
		{"sphere", -5.12, 5.12, sphere, 0, 0},
	}
}

func sphere(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return sum
}

func rastrigin(x []float64) float64 {
	sum := 10 * float64(len(x))
	for _, v := range x {
		sum += v*v - 10*math.Cos(2*math.Pi*v)
	}
	return sum
}

func rosenbrock(x []float64) float64 {
	sum := 0.0
	for i := range len(x) - 1 {
		a, b := x[i+1]-x[i]*x[i], 1-x[i]
		sum += 100*a*a + b*b
	}
	return sum
}

func ackley(x []float64) float64 {
	squares, waves, n := 0.0, 0.0, float64(len(x))
	for _, v := range x {
		squares += v * v
		waves += math.Cos(2 * math.Pi * v)
	}
	return 20 - 20*math.Exp(-0.2*math.Sqrt(squares/n)) + math.E - math.Exp(waves/n)
}

func griewank(x []float64) float64 {
	sum, product := 0.0, 1.0
	for i, v := range x {
		sum += v * v / 4000
		product *= math.Cos(v / math.Sqrt(float64(i+1)))
	}
	return 1 + sum - product
}

func schwefel(x []float64) float64 {
	sum := 418.9828872724338 * float64(len(x))
	for _, v := range x {
		sum -= v * math.Sin(math.Sqrt(math.Abs(v)))
	}
	return sum
}

// Minimise is a program that looks for the least value of a benchmark function.
// With a tolerance above 0 it fails unless it came as near as that.
//
// Errors: Invalid where there is no such function, or c is faulty.
func Minimise(name string, dimensions int, tolerance float64, c Config) (peer.Keeper, error) {
	all := Functions()
	i := slices.IndexFunc(all, func(f Function) bool { return f.Name == name })
	if i < 0 {
		return nil, core.Errorf(core.Invalid, "there is no function %q", name).Do("use one of " + names(all))
	}
	if dimensions < 1 || dimensions > 1<<20 {
		return nil, core.Errorf(core.Invalid, "%d dimensions, from 1 to %d are possible", dimensions, 1<<20)
	}
	f := all[i]
	return newProgram(Real{dimensions, f.Low, f.High, f.Value}, c, func(best Champion[[]float64]) error {
		if tolerance <= 0 || best.Cost-f.Optimum <= tolerance {
			return nil
		}
		return core.Errorf(core.Failed, "the least value found of %s is %g, and %g is known", name, best.Cost, f.Optimum).
			At(fmt.Sprintf("generation %d", best.Generation)).Do("give more generations, a larger population or more islands, or a wider tolerance")
	})
}

func names(all []Function) string {
	s := ""
	for i, f := range all {
		if i > 0 {
			s += ", "
		}
		s += f.Name
	}
	return s
}
