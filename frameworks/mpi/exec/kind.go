package exec

import (
	"reflect"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// kind is what elements are; see the package's comment.
type kind uint16

const (
	kindBatch kind = 64
	kindAny   kind = 65535
)

// kinds are Go's types by number.
var kinds = [...]reflect.Kind{1: reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
	reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
	reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128}

func kindOf(k reflect.Kind) kind {
	for i, known := range kinds {
		if known == k && i > 0 {
			return kind(i)
		}
	}
	return 0
}

func (k kind) String() string {
	switch {
	case k == kindBatch:
		return "record batches"
	case k == kindAny:
		return "any"
	case k.elements() == nil:
		return "no kind"
	}
	return kinds[k].String()
}

// elements gives the calls for elements of k; nil if k is not numeric.
func (k kind) elements() elements {
	switch k {
	case 1:
		return vector[int8]{integer[int8]}
	case 2:
		return vector[int16]{integer[int16]}
	case 3:
		return vector[int32]{integer[int32]}
	case 4:
		return vector[int64]{integer[int64]}
	case 5:
		return vector[uint8]{integer[uint8]}
	case 6:
		return vector[uint16]{integer[uint16]}
	case 7:
		return vector[uint32]{integer[uint32]}
	case 8:
		return vector[uint64]{integer[uint64]}
	case 9:
		return vector[float32]{float[float32]}
	case 10:
		return vector[float64]{float[float64]}
	case 11:
		return vector[complex64]{imaginary[complex64]}
	case 12:
		return vector[complex128]{imaginary[complex128]}
	}
	return nil
}

// op is an operator; see the package's comment.
type op uint16

const (
	opSum op = iota + 1
	opProd
	opMin
	opMax
	opBand
	opBor
	opBxor
	opLand
	opLor
	opLxor
)

// integer gives o for integers; nil if there is none.
func integer[T mpi.Integer](o op) mpi.Op[T] {
	switch o {
	case opBand:
		return mpi.BitAnd[T]
	case opBor:
		return mpi.BitOr[T]
	case opBxor:
		return mpi.BitXor[T]
	case opLand:
		return logical[T](func(a, b bool) bool { return a && b })
	case opLor:
		return logical[T](func(a, b bool) bool { return a || b })
	case opLxor:
		return logical[T](func(a, b bool) bool { return a != b })
	}
	return float[T](o)
}

// float gives o for all numbers that have an order.
func float[T mpi.Number](o op) mpi.Op[T] {
	switch o {
	case opSum:
		return mpi.Sum[T]
	case opProd:
		return mpi.Prod[T]
	case opMin:
		return mpi.Min[T]
	case opMax:
		return mpi.Max[T]
	}
	return nil
}

func imaginary[T complex64 | complex128](o op) mpi.Op[T] {
	switch o {
	case opSum:
		return each(func(a, b T) T { return a + b })
	case opProd:
		return each(func(a, b T) T { return a * b })
	}
	return nil
}

// logical is an operator on what is zero and what is not, as in C.
func logical[T mpi.Integer](f func(a, b bool) bool) mpi.Op[T] {
	return each(func(a, b T) T {
		if f(a != 0, b != 0) {
			return 1
		}
		return 0
	})
}

func each[T any](f func(a, b T) T) mpi.Op[T] {
	return func(into, from []T) {
		for i, v := range from[:len(into)] {
			into[i] = f(into[i], v)
		}
	}
}
