package vertex

import (
	"cmp"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// Aggregate is an [Aggregator] of any type.
type Aggregate interface {
	bind(p *peer.Peer, workers int)
	// flush gives what the workers added to the peer, before its Sync.
	flush()
	// settle takes the combined value, after it.
	settle()
}

// Caller is whoever computes: a [*Vertex].
type Caller interface{ caller() int }

// Aggregator combines what all vertices add in a superstep. In the next one the
// value is there for all, and for the master before it. A program makes its
// aggregators once, keeps them, and names them in [Config].
type Aggregator[T any] struct {
	name    string
	zero    T
	combine func(a, b T) T
	codec   peer.Codec[T]
	number  func(p *peer.Peer) *peer.Aggregator[T] // nil: custom
	sticky  bool

	over  *peer.Aggregator[T]
	parts []part[T]
	value T
}

// part is what a worker added, alone in its lines of the cache.
type part[T any] struct {
	v   T
	set bool
	_   [128]byte
}

// SumOf is an aggregator that adds.
func SumOf[T peer.Number](name string) *Aggregator[T] {
	return &Aggregator[T]{name: name, combine: func(a, b T) T { return a + b }, number: func(p *peer.Peer) *peer.Aggregator[T] { return peer.Sum[T](p, name) }}
}

// MinOf is an aggregator that keeps the least value. Where none was added it is
// the greatest of T.
func MinOf[T peer.Number](name string) *Aggregator[T] {
	return &Aggregator[T]{name: name, combine: least[T], number: func(p *peer.Peer) *peer.Aggregator[T] { return peer.Min[T](p, name) }}
}

// MaxOf is an aggregator that keeps the greatest value. Where none was added it
// is the least of T.
func MaxOf[T peer.Number](name string) *Aggregator[T] {
	return &Aggregator[T]{name: name, combine: greatest[T], number: func(p *peer.Peer) *peer.Aggregator[T] { return peer.Max[T](p, name) }}
}

func least[T cmp.Ordered](a, b T) T    { return min(a, b) }
func greatest[T cmp.Ordered](a, b T) T { return max(a, b) }

// AllOf is true if every value added was; without any it is true.
func AllOf(name string) *Aggregator[bool] {
	return &Aggregator[bool]{name: name, zero: true, combine: func(a, b bool) bool { return a && b }, number: func(p *peer.Peer) *peer.Aggregator[bool] { return peer.All(p, name) }}
}

// AnyOf is true if one value added was.
func AnyOf(name string) *Aggregator[bool] {
	return &Aggregator[bool]{name: name, combine: func(a, b bool) bool { return a || b }, number: func(p *peer.Peer) *peer.Aggregator[bool] { return peer.Any(p, name) }}
}

// CustomOf combines values of any type, beginning with zero. combine has to be
// associative; values come in the order of ranks.
func CustomOf[T any](name string, zero T, combine func(a, b T) T, codec peer.Codec[T]) *Aggregator[T] {
	return &Aggregator[T]{name: name, zero: zero, combine: combine, codec: codec}
}

// Sticky keeps the value over supersteps: what is added is combined with what
// was there.
func (a *Aggregator[T]) Sticky() *Aggregator[T] {
	a.sticky = true
	return a
}

// Add adds x. It may be called from Compute only.
func (a *Aggregator[T]) Add(v Caller, x T) {
	p := &a.parts[v.caller()]
	if p.set {
		p.v = a.combine(p.v, x)
	} else {
		p.v, p.set = x, true
	}
}

// Value is what the superstep before combined.
func (a *Aggregator[T]) Value() T { return a.value }

func (a *Aggregator[T]) bind(p *peer.Peer, workers int) {
	a.parts = make([]part[T], workers)
	if a.number != nil {
		a.over = a.number(p)
	} else {
		a.over = peer.Custom(p, a.name, a.zero, a.combine, a.codec)
	}
	if a.sticky {
		a.over.Sticky()
	}
	a.value = a.over.Value()
}

func (a *Aggregator[T]) flush() {
	for i := range a.parts {
		if p := &a.parts[i]; p.set {
			a.over.Add(p.v)
			*p = part[T]{}
		}
	}
}

func (a *Aggregator[T]) settle() { a.value = a.over.Value() }
