package peer

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/capstan-run/capstan/core"
)

// Number is what can be summed and compared.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Codec turns a value into bytes and back. Append keeps nothing of v, Decode
// nothing of b.
type Codec[T any] struct {
	Append func(b []byte, v T) ([]byte, error)
	Decode func(b []byte) (T, error)
}

// JSON is the codec of whatever encoding/json can write and read.
func JSON[T any]() Codec[T] {
	return Codec[T]{
		Append: func(b []byte, v T) ([]byte, error) {
			doc, err := json.Marshal(v)
			return append(b, doc...), err
		},
		Decode: func(b []byte) (v T, err error) { return v, json.Unmarshal(b, &v) },
	}
}

// Aggregator combines what all ranks add in a superstep: first on each rank as
// it is added, then in the order of ranks, so that every rank finds the same
// value, bit for bit, after Sync. It is for the program's goroutine alone.
//
// Every rank makes the same aggregators in the same superstep; making one
// again returns the same.
type Aggregator[T any] struct {
	p       *Peer
	name    string
	op      string
	zero    func() (T, error)
	combine func(a, b T) T
	codec   Codec[T]
	sticky  bool

	value T // of the superstep that ended
	added bool
	local T
	total T // where they are combined: of the ranks so far
}

// aggregate is an aggregator of any type.
type aggregate interface {
	contribute(b []byte) (out []byte, ok bool, err error)
	begin() error
	take(contribution []byte) error
	result(b []byte) ([]byte, error)
	set(b []byte) error
}

// Sum adds up. Without Add its value is 0.
func Sum[T Number](p *Peer, name string) *Aggregator[T] {
	return aggregatorOf(p, name, "sum", 0, func(a, b T) T { return a + b }, numbers[T]())
}

// Min is the least. Without Add its value is the greatest of T.
func Min[T Number](p *Peer, name string) *Aggregator[T] {
	_, most := limits[T]()
	return aggregatorOf(p, name, "min", most, func(a, b T) T { return min(a, b) }, numbers[T]())
}

// Max is the greatest. Without Add its value is the least of T.
func Max[T Number](p *Peer, name string) *Aggregator[T] {
	least, _ := limits[T]()
	return aggregatorOf(p, name, "max", least, func(a, b T) T { return max(a, b) }, numbers[T]())
}

// All is true where nobody added false.
func All(p *Peer, name string) *Aggregator[bool] {
	return aggregatorOf(p, name, "all", true, func(a, b bool) bool { return a && b }, booleans)
}

// Any is true where somebody added true.
func Any(p *Peer, name string) *Aggregator[bool] {
	return aggregatorOf(p, name, "any", false, func(a, b bool) bool { return a || b }, booleans)
}

// Custom combines by a function, which may change and return a but keeps
// nothing of b. The result is combine(...combine(combine(zero, rank 0's), rank
// 1's)...) over the ranks that added anything.
func Custom[T any](p *Peer, name string, zero T, combine func(a, b T) T, codec Codec[T]) *Aggregator[T] {
	return aggregatorOf(p, name, "custom", zero, combine, codec)
}

func aggregatorOf[T any](p *Peer, name, op string, zero T, combine func(a, b T) T, codec Codec[T]) *Aggregator[T] {
	if known, ok := p.aggregates.of[name]; ok {
		a, ok := known.(*Aggregator[T])
		if !ok || a.op != op {
			panic(fmt.Sprintf("bsp peer: aggregator %q is made twice, as another", name))
		}
		return a
	}
	a := &Aggregator[T]{p: p, name: name, op: op, combine: combine, codec: codec}
	fresh, err := codec.Append(nil, zero)
	// combine may change what it is given, so each zero is a new one.
	a.zero = func() (T, error) {
		if err != nil {
			return zero, err
		}
		return codec.Decode(fresh)
	}
	a.value = zero
	if v, err := a.zero(); err == nil {
		a.value = v
	}
	if b, ok := p.aggregates.results[name]; ok {
		if v, err := codec.Decode(b); err == nil {
			a.value = v
		}
	}
	p.aggregates.add(name, a)
	return a
}

// Sticky makes the aggregator go on from its value in each superstep instead
// of from zero.
func (a *Aggregator[T]) Sticky() *Aggregator[T] {
	a.sticky = true
	return a
}

// Add adds v, which is the aggregator's from then on.
func (a *Aggregator[T]) Add(v T) {
	if a.added {
		v = a.combine(a.local, v)
	}
	a.local, a.added = v, true
}

// Value is what all ranks added in the superstep that ended last.
func (a *Aggregator[T]) Value() T { return a.value }

func (a *Aggregator[T]) contribute(b []byte) ([]byte, bool, error) {
	if !a.added {
		return b, false, nil
	}
	b, err := a.codec.Append(b, a.local)
	var none T
	a.local, a.added = none, false
	return b, true, err
}

func (a *Aggregator[T]) begin() (err error) {
	if a.total = a.value; !a.sticky {
		a.total, err = a.zero()
	}
	return err
}

func (a *Aggregator[T]) take(contribution []byte) error {
	v, err := a.codec.Decode(contribution)
	if err == nil {
		a.total = a.combine(a.total, v)
	}
	return err
}

func (a *Aggregator[T]) result(b []byte) ([]byte, error) { return a.codec.Append(b, a.total) }

func (a *Aggregator[T]) set(b []byte) (err error) {
	a.value, err = a.codec.Decode(b)
	return err
}

// limits are the least and the greatest of T.
func limits[T Number]() (least, most T) {
	one, two := T(1), T(2)
	switch {
	case one/two != 0:
		inf := math.Inf(1)
		return T(-inf), T(inf)
	case least-1 > 0:
		return 0, least - 1
	}
	for most = 1; most*2+1 > most; {
		most = most*2 + 1
	}
	return -most - 1, most
}

// numbers is the codec of numbers: 8 bytes.
func numbers[T Number]() Codec[T] {
	var zero T
	one, two := T(1), T(2)
	isFloat, isUnsigned := one/two != 0, zero-1 > 0
	return Codec[T]{
		Append: func(b []byte, v T) ([]byte, error) {
			bits := uint64(int64(v))
			switch {
			case isFloat:
				bits = math.Float64bits(float64(v))
			case isUnsigned:
				bits = uint64(v)
			}
			return binary.LittleEndian.AppendUint64(b, bits), nil
		},
		Decode: func(b []byte) (T, error) {
			if len(b) != 8 {
				return 0, fmt.Errorf("a number of %d bytes", len(b))
			}
			bits := binary.LittleEndian.Uint64(b)
			switch {
			case isFloat:
				return T(math.Float64frombits(bits)), nil
			case isUnsigned:
				return T(bits), nil
			}
			return T(int64(bits)), nil
		},
	}
}

var booleans = Codec[bool]{
	Append: func(b []byte, v bool) ([]byte, error) {
		if v {
			return append(b, 1), nil
		}
		return append(b, 0), nil
	},
	Decode: func(b []byte) (bool, error) {
		if len(b) != 1 {
			return false, fmt.Errorf("a truth value of %d bytes", len(b))
		}
		return b[0] == 1, nil
	},
}

func aggregatorError(name, format string, args ...any) error {
	return core.Errorf(core.Failed, format, args...).At(fmt.Sprintf("aggregator %q", name))
}
