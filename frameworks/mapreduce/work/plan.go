package work

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
)

// plan is a job's steps, resolved: what each is, and what kinds of pairs flow
// between them.
//
//	Mapper ─mapped→ Collector ─exchange→ Reducer ─result→ Sink
type plan struct {
	body      *spec.Body
	order     Order
	separator string // between the fields of keys

	mapped   Kinds
	exchange Kinds
	result   Kinds

	newMapper  func(*Context) (Mapper, error)
	fold       Fold                            // of the collector's tally; 0 for none
	count      bool                            // the fold is over ones, whatever the values
	refolds    bool                            // the reduce is the same fold: it takes folded pairs in any order
	scatters   bool                            // nothing combines: pairs go out as they come, and the reduce sorts them
	copies     bool                            // the reduce gives every pair as it is
	newCombine func(*Context) (Reducer, error) // nil: none, or fold does it
	newReducer func(*Context) (Reducer, error) // nil in a map-only job
}

// Check answers what only this package knows to be wrong with a body: steps
// that do not fit each other, and arguments of built-ins. Paths begin with
// "spec.".
func Check(b *spec.Body, functions Registry) []core.Diagnostic {
	_, err := newPlan(b, functions)
	if err == nil {
		return nil
	}
	e := core.AsError(err)
	message := e.What
	if e.Err != nil {
		message = errors.Join(errors.New(e.What), e.Err).Error()
	}
	return []core.Diagnostic{{Path: e.Where, Message: message, Remedy: e.Remedy}}
}

// SplitSize is the default size of a split. Of a program's functions it knows
// nothing: the program says what is good for them.
func SplitSize(b *spec.Body) core.Bytes {
	p, err := newPlan(b, Registry{})
	if b.Combine != nil || err == nil && p.fold != 0 {
		return spec.CombinedSplitSize
	}
	return spec.DefaultSplitSize
}

// Partitions is the number of partitions of a job over so many bytes of input
// in a gang of size executors with cpu each. Where nothing combines, what comes
// to a partition should fit its memory; of a program's functions it is not
// known, and taken from the size of splits.
func Partitions(b *spec.Body, size int, cpu core.MilliCPU, bytes int64) int {
	n := b.PartitionsOf(size, cpu)
	if n == 0 || b.Shuffle.Partitions > 0 || b.Shuffle.By == "first" {
		return n
	}
	p, err := newPlan(b, Registry{})
	if err == nil && p.scatters || err != nil && b.Combine == nil && b.Input.SplitSize < spec.CombinedSplitSize {
		n = max(n, int(min((bytes+partitionBytes-1)/partitionBytes, maxPartitions)))
	}
	return n
}

const (
	partitionBytes = 48 << 20
	maxPartitions  = 10_000
)

func newPlan(b *spec.Body, functions Registry) (*plan, error) {
	p := &plan{body: b, separator: "\t"}
	if b.Map.Separator != "" {
		p.separator = b.Map.Separator
	}
	if s := b.Map.With["separator"]; s != "" && s != "TAB" {
		p.separator = s
	}
	if err := p.resolveMap(functions); err != nil {
		return nil, within("spec.map", err)
	}
	p.exchange, p.result = p.mapped, p.mapped
	if b.Reduce != nil {
		if b.Combine != nil {
			if err := p.resolveCombine(functions); err != nil {
				return nil, within("spec.combine", err)
			}
		}
		if err := p.resolveReduce(functions); err != nil {
			return nil, within("spec.reduce", err)
		}
	}
	p.scatters = p.newReducer != nil && p.fold == 0 && p.newCombine == nil
	p.order = ParseOrder(b.Shuffle.Order, p.exchange.Key)
	return p, nil
}

// within puts the step in front of where an error is.
func within(step string, err error) error {
	e := core.AsError(err)
	switch {
	case e.Where == "":
		e.Where = step
	case len(e.Where) < 5 || e.Where[:5] != "spec.":
		e.Where = step + "." + e.Where
	}
	return e
}

func (p *plan) textKind() Kind {
	if p.body.Input.Encoding == "bytes" || p.body.Input.Format == "fixed" {
		return Binary
	}
	return Text
}

func (p *plan) resolveMap(functions Registry) error {
	s := p.body.Map
	switch {
	case len(s.Exec) > 0:
		p.mapped = Kinds{p.textKind(), p.textKind()}
		p.newMapper = func(c *Context) (Mapper, error) { return newScriptMapper(c) }
		return nil
	case s.Program != "":
		f, ok := functions.Maps[s.Use]
		if !ok {
			return unknown("map", s.Use, slices.Sorted(maps.Keys(functions.Maps)))
		}
		p.mapped, p.newMapper = f.Out, f.New
		return nil
	}
	for _, b := range mapBuiltIns() {
		if b.Name != s.Use {
			continue
		}
		if err := b.check(s.With); err != nil {
			return err
		}
		make, err := b.make(s.With)
		if err != nil {
			return err
		}
		p.mapped = Kinds{p.textKind(), b.value}
		if b.value == Text {
			p.mapped.Value = p.textKind()
		}
		if b.Name == "field" && arguments(s.With).text("value", "none") == "none" {
			p.mapped.Value = None
		}
		p.newMapper = func(c *Context) (Mapper, error) { return make(c), nil }
		return nil
	}
	return unknown("map", s.Use, builtInsOf("map"))
}

func builtInsOf(step string) []string {
	var names []string
	for _, b := range Catalog() {
		if b.Step == step {
			names = append(names, b.Name)
		}
	}
	return names
}

func unknown(step, use string, known []string) error {
	e := core.Errorf(core.Invalid, "no %s function is named %q", step, use).At("use")
	if len(known) == 0 {
		return e.Do("the program registers none: is it built on package mapreduce, and is it the right file?")
	}
	return e.Do("use " + list(known))
}

// findReduce looks a built-in up and resolves it for values of kind in.
func findReduce(s *spec.Step, in Kind) (b reduceBuiltIn, r reduction, err error) {
	for _, b := range reduceBuiltIns() {
		if b.Name != s.Use {
			continue
		}
		if err := b.check(s.With); err != nil {
			return b, r, err
		}
		r, err := b.resolve(s.With, in)
		if err == nil && r.in != in && in == None {
			return b, r, core.Errorf(core.Invalid, "%s needs values, and the map has none", s.Use).At("use").
				Do("use count or distinct, or let the map emit values")
		}
		return b, r, err
	}
	return b, r, unknown("reduce", s.Use, builtInsOf("reduce"))
}

func (p *plan) resolveCombine(functions Registry) error {
	s := p.body.Combine
	switch {
	case len(s.Exec) > 0:
		if s.As == "arrow" {
			return core.Errorf(core.Invalid, "a combiner over Arrow streams").At("as").Do("combine over lines, or drop the combiner")
		}
		if !p.mapped.Key.bytes() {
			return core.Errorf(core.Invalid, "a combiner over lines writes keys as text, and the map's are of type %s", p.mapped.Key).
				At("exec").Do("combine with a function of the program, or let the map emit text as keys")
		}
		p.newCombine = func(c *Context) (Reducer, error) { return newScriptReducer(c, p.exchange) }
	case s.Program != "":
		f, ok := functions.Reduces[s.Use]
		if !ok {
			return unknown("combine", s.Use, slices.Sorted(maps.Keys(functions.Reduces)))
		}
		if f.In != f.Out || f.In != p.mapped {
			return core.Errorf(core.Invalid, "the combiner takes %v and gives %v; the map gives %v", f.In, f.Out, p.mapped).
				Do("a combiner takes and gives what the map gives")
		}
		p.fold, p.newCombine = f.Fold, f.New
	default:
		b, r, err := findReduce(s, p.mapped.Value)
		if err != nil {
			return err
		}
		if !b.combines {
			return core.Errorf(core.Invalid, "%s of parts is not %s of the whole", b.Name, b.Name).At("use").
				Do("use it in reduce only")
		}
		p.combineWith(r)
	}
	return nil
}

// combineWith makes a built-in the combiner.
func (p *plan) combineWith(r reduction) {
	p.exchange.Value = r.in
	switch {
	case r.count && r.out == Int64:
		p.exchange.Value, p.fold, p.count = Int64, FoldSum, true
	case r.fold != 0:
		p.fold, p.count = r.fold, r.count
	case r.in == Float64 && r.out == Float64:
		// A floating-point sum is added once (law W3).
	default:
		p.newCombine = func(*Context) (Reducer, error) { return builtinReducer{reduction: r}, nil }
	}
}

func (p *plan) resolveReduce(functions Registry) error {
	s := p.body.Reduce
	switch {
	case len(s.Exec) > 0:
		p.result = Kinds{p.textKind(), p.textKind()}
		p.newReducer = func(c *Context) (Reducer, error) { return newScriptReducer(c, p.exchange) }
	case s.Program != "":
		f, ok := functions.Reduces[s.Use]
		if !ok {
			return unknown("reduce", s.Use, slices.Sorted(maps.Keys(functions.Reduces)))
		}
		if err := p.accept(f.In); err != nil {
			return err
		}
		p.result, p.newReducer = f.Out, f.New
		if p.body.Combine == nil && f.In == f.Out {
			p.fold = f.Fold
		}
		p.refolds = p.foldsAgain(f.Fold) && f.In == f.Out
	default:
		return p.reduceWith(s)
	}
	return nil
}

// accept lets a program's reducer take what comes: a script's or a built-in's
// text is read as the reducer's kind of values.
func (p *plan) accept(in Kinds) error {
	if in == p.exchange {
		return nil
	}
	text := p.exchange.Value.bytes() && p.body.Map.Program == "" && p.body.Combine == nil
	if in.Key == p.exchange.Key && text && (in.Value.number() || in.Value.bytes()) {
		p.exchange.Value = in.Value
		return nil
	}
	return core.Errorf(core.Invalid, "the reducer takes %v, but %v comes to it", in, p.exchange).
		At("use").Do("let both have the same types of keys and values")
}

func (p *plan) reduceWith(s *spec.Step) error {
	in := p.exchange.Value
	b, r, err := findReduce(s, in)
	if err != nil {
		return err
	}
	combined := p.body.Combine != nil
	if combined && b.Name == "count" && p.body.Combine.Use != "" && p.body.Combine.Program == "" &&
		p.body.Combine.Use != "count" && p.body.Combine.Use != "identity" {
		return core.Errorf(core.Invalid, "count would count what the combiner has left, which depends on the splits").
			At("use").Do("combine by count as well, or drop the combiner")
	}
	switch {
	case p.count && p.exchange.Value == Int64 && b.Name == "count":
		r = wholeReduction(FoldSum) // counting counts adds them up
	case !combined && r.count && r.out == Int64:
		p.combineWith(r)
		r = wholeReduction(FoldSum)
	case !combined && r.fold != 0:
		p.combineWith(r)
	case !combined || in.bytes():
		p.exchange.Value = r.in
	case r.in != in && r.in != None:
		return core.Errorf(core.Invalid, "%s takes %v values, but the combiner gives %v", b.Name, r.in, in).
			At("use").Do("give both the same type")
	}
	p.result, p.copies = Kinds{p.exchange.Key, r.out}, b.Name == "identity"
	p.refolds = p.foldsAgain(r.fold) && r.in == p.exchange.Value && r.out == r.in
	p.newReducer = func(*Context) (Reducer, error) { return builtinReducer{reduction: r}, nil }
	return nil
}

// foldsAgain reports whether a reduce by f of whole groups is the collector's
// fold over again.
func (p *plan) foldsAgain(f Fold) bool {
	return p.fold != 0 && f == p.fold && p.body.Shuffle.GroupFields == 0
}

func (k Kinds) String() string { return fmt.Sprintf("(%s, %s)", k.Key, k.Value) }

// combineStep is the step whose code combines: a reduce that combines by
// itself stands in for a missing one.
func (p *plan) combineStep() *spec.Step {
	if p.body.Combine != nil {
		return p.body.Combine
	}
	return p.body.Reduce
}
