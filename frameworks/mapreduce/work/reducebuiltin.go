package work

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
)

// reduceBuiltIn is a built-in for reduce and combine.
type reduceBuiltIn struct {
	BuiltIn
	// combines says that reducing reduced parts, in order, gives the same.
	combines bool
	resolve  func(a arguments, in Kind) (reduction, error)
}

// reduction is a built-in with its arguments, for values of a kind.
type reduction struct {
	in, out Kind // values as the exchange carries them; values of the result
	fold    Fold // what it is to whole values, 0 for nothing
	count   bool // the fold is over ones, whatever the values
	reduce  func(g *Group, out Emitter) error
}

func reduceBuiltIns() []reduceBuiltIn {
	number := Argument{"type", "int64 or float64", "int64, or the values' own"}
	return []reduceBuiltIn{
		{BuiltIn{"count", "reduce", "How many values each key has.", nil}, true, resolveCount},
		{BuiltIn{"distinct", "reduce", "Each key once, without a value.", nil}, true, resolveDistinct},
		{BuiltIn{"first", "reduce", "The first value of each key, in input order.", nil}, true, resolveFirst},
		{BuiltIn{"identity", "reduce", "Every pair, in the order of keys.", nil}, true, resolveIdentity},
		{BuiltIn{"join", "reduce", "The values of each key as one text, in input order.", []Argument{
			{"separator", "what stands between values", ","}}}, true, resolveJoin},
		{BuiltIn{"max", "reduce", "The largest value of each key.", []Argument{number}}, true, extreme(FoldMax)},
		{BuiltIn{"mean", "reduce", "The arithmetic mean of each key's values.", []Argument{number}}, false, resolveMean},
		{BuiltIn{"min", "reduce", "The smallest value of each key.", []Argument{number}}, true, extreme(FoldMin)},
		{BuiltIn{"sum", "reduce", "The sum of each key's values.", []Argument{number}}, true, resolveSum},
		{BuiltIn{"top", "reduce", "The n largest values of each key, largest first.", []Argument{
			{"n", "how many", "1"}, number}}, true, resolveTop},
	}
}

// numeric is the kind of numbers a built-in works on.
func (a arguments) numeric(in Kind) (Kind, error) {
	if _, ok := a["type"]; !ok && in.number() {
		return in, nil
	}
	t, err := a.oneOf("type", "int64", "float64")
	if t == "float64" {
		return Float64, err
	}
	return Int64, err
}

func resolveCount(_ arguments, in Kind) (reduction, error) {
	return reduction{in: in, out: Int64, fold: FoldSum, count: true, reduce: func(g *Group, out Emitter) error {
		n := int64(0)
		for g.Next() {
			n++
		}
		return out.EmitInt(g.Key(), n)
	}}, nil
}

func resolveDistinct(arguments, Kind) (reduction, error) {
	return reduction{in: None, out: None, fold: FoldMax, count: true, reduce: func(g *Group, out Emitter) error {
		return out.Emit(g.Key(), nil)
	}}, nil
}

func resolveFirst(_ arguments, in Kind) (reduction, error) {
	return reduction{in: in, out: in, reduce: func(g *Group, out Emitter) error {
		g.Next()
		return g.emit(g.Key(), out)
	}}, nil
}

func resolveIdentity(_ arguments, in Kind) (reduction, error) {
	return reduction{in: in, out: in, reduce: func(g *Group, out Emitter) error {
		for g.Next() {
			if err := g.emit(g.FullKey(), out); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

// emit emits the current value as it is.
func (g *Group) emit(key []byte, out Emitter) error {
	switch k := g.kind; {
	case k.whole():
		return out.EmitInt(key, g.Int())
	case k == Float64:
		return out.EmitFloat(key, g.Float())
	case k == None:
		return out.Emit(key, nil)
	default:
		return out.Emit(key, g.Bytes())
	}
}

func resolveJoin(a arguments, in Kind) (reduction, error) {
	separator := a.text("separator", ",")
	if in == None {
		return reduction{}, core.Errorf(core.Invalid, "join needs values, and the map has none").At("use").Do("let the map emit values")
	}
	return reduction{in: Text, out: Text, reduce: func(g *Group, out Emitter) error {
		var all []byte
		for n := 0; g.Next(); n++ {
			if n > 0 {
				all = append(all, separator...)
			}
			all = append(all, g.Bytes()...)
		}
		return out.Emit(g.Key(), all)
	}}, nil
}

func extreme(f Fold) func(arguments, Kind) (reduction, error) {
	return func(a arguments, in Kind) (reduction, error) {
		k, err := a.numeric(in)
		if k == Int64 {
			return wholeReduction(f), err
		}
		return reduction{in: Float64, out: Float64, reduce: func(g *Group, out Emitter) error {
			g.Next()
			acc := g.Float()
			for g.Next() {
				if f == FoldMin {
					acc = min(acc, g.Float())
				} else {
					acc = max(acc, g.Float())
				}
			}
			return out.EmitFloat(g.Key(), acc)
		}}, err
	}
}

func wholeReduction(f Fold) reduction {
	return reduction{in: Int64, out: Int64, fold: f, reduce: func(g *Group, out Emitter) error {
		acc, err := f.all(g)
		if err != nil {
			return err
		}
		return out.EmitInt(g.Key(), acc)
	}}
}

func resolveSum(a arguments, in Kind) (reduction, error) {
	k, err := a.numeric(in)
	if k == Int64 {
		return wholeReduction(FoldSum), err
	}
	return reduction{in: Float64, out: Float64, reduce: func(g *Group, out Emitter) error {
		sum, _ := sumFloats(g)
		return out.EmitFloat(g.Key(), sum)
	}}, err
}

// sumFloats adds in input order with Neumaier's compensation, so that the
// result hardly depends on the order and never on the splits (law W3).
func sumFloats(g *Group) (sum float64, n int64) {
	var lost float64
	for ; g.Next(); n++ {
		v := g.Float()
		t := sum + v
		if abs(sum) >= abs(v) {
			lost += (sum - t) + v
		} else {
			lost += (v - t) + sum
		}
		sum = t
	}
	if lost != lost { // an infinity came in; it stands
		return sum, n
	}
	return sum + lost, n
}

func abs(v float64) float64 {
	if v < 0 {
		return -v
	}
	return v
}

func resolveMean(a arguments, in Kind) (reduction, error) {
	k, err := a.numeric(in)
	if k == Int64 {
		return reduction{in: Int64, out: Float64, reduce: func(g *Group, out Emitter) error {
			sum, n := int64(0), int64(0)
			for ; g.Next(); n++ {
				s := sum + g.Int()
				if (s > sum) != (g.Int() > 0) && g.Int() != 0 {
					return overflow().At(fmt.Sprintf("key %q", clip(g.Key())))
				}
				sum = s
			}
			return out.EmitFloat(g.Key(), float64(sum)/float64(n))
		}}, err
	}
	return reduction{in: Float64, out: Float64, reduce: func(g *Group, out Emitter) error {
		sum, n := sumFloats(g)
		return out.EmitFloat(g.Key(), sum/float64(n))
	}}, err
}

func resolveTop(a arguments, in Kind) (reduction, error) {
	n, err := a.positive("n", 1)
	if err != nil {
		return reduction{}, err
	}
	k, err := a.numeric(in)
	if k == Int64 {
		return reduction{in: Int64, out: Int64, reduce: func(g *Group, out Emitter) error {
			for _, v := range largest(g, n, func() int64 { return g.Int() }) {
				if err := out.EmitInt(g.Key(), v); err != nil {
					return err
				}
			}
			return nil
		}}, err
	}
	return reduction{in: Float64, out: Float64, reduce: func(g *Group, out Emitter) error {
		for _, v := range largest(g, n, func() float64 { return g.Float() }) {
			if err := out.EmitFloat(g.Key(), v); err != nil {
				return err
			}
		}
		return nil
	}}, err
}

// largest is the n largest values of g, largest first.
func largest[T cmp.Ordered](g *Group, n int, value func() T) []T {
	var best []T
	for g.Next() {
		v := value()
		at, _ := slices.BinarySearchFunc(best, v, func(e, v T) int { return cmp.Compare(v, e) })
		if at < n {
			best = slices.Insert(best, at, v)
			best = best[:min(len(best), n)]
		}
	}
	return best
}

// builtinReducer is a reduction at work.
type builtinReducer struct {
	noClose
	reduction
}

func (r builtinReducer) Reduce(_ context.Context, g *Group, out Emitter) error {
	return r.reduce(g, out)
}
