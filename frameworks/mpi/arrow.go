package mpi

import (
	"context"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/core"
)

// AllreduceArray combines the arrays of all ranks, of one numeric type and
// length, element by element and in the order of ranks. A null counts as not
// being there: the result is null where all are. The caller releases the result.
func AllreduceArray(ctx context.Context, c *Comm, a arrow.Array, op Arithmetic) (arrow.Array, error) {
	switch a := a.(type) {
	case *array.Int8:
		return reduceArray(ctx, c, a, a.Int8Values(), op)
	case *array.Int16:
		return reduceArray(ctx, c, a, a.Int16Values(), op)
	case *array.Int32:
		return reduceArray(ctx, c, a, a.Int32Values(), op)
	case *array.Int64:
		return reduceArray(ctx, c, a, a.Int64Values(), op)
	case *array.Uint8:
		return reduceArray(ctx, c, a, a.Uint8Values(), op)
	case *array.Uint16:
		return reduceArray(ctx, c, a, a.Uint16Values(), op)
	case *array.Uint32:
		return reduceArray(ctx, c, a, a.Uint32Values(), op)
	case *array.Uint64:
		return reduceArray(ctx, c, a, a.Uint64Values(), op)
	case *array.Float32:
		return reduceArray(ctx, c, a, a.Float32Values(), op)
	case *array.Float64:
		return reduceArray(ctx, c, a, a.Float64Values(), op)
	}
	return nil, c.fault(opAllreduce.String(), core.Errorf(core.Invalid, "an array of %s is not numeric", a.DataType()))
}

// Arithmetic is an operator by name, for those who know the type of its elements
// at run time only.
type Arithmetic uint8

const (
	Replace Arithmetic = iota // the latter, MPI_REPLACE
	Add
	Multiply
	Least
	Greatest
)

func (a Arithmetic) String() string {
	return [...]string{"Replace", "Add", "Multiply", "Least", "Greatest"}[a]
}

// opOf is the operator for elements of T.
func opOf[T Number](a Arithmetic) Op[T] {
	switch a {
	case Add:
		return Sum[T]
	case Multiply:
		return Prod[T]
	case Least:
		return Min[T]
	case Greatest:
		return Max[T]
	}
	return func(into, from []T) { copy(into, from) }
}

// optional is an element that may be null.
type optional[T Number] struct {
	Value T
	Valid bool
}

func reduceArray[T Number](ctx context.Context, c *Comm, a arrow.Array, values []T, op Arithmetic) (arrow.Array, error) {
	nulls := []int{a.NullN()}
	if err := Allreduce(ctx, c, nulls, Max); err != nil {
		return nil, err
	}
	out := append([]T(nil), values...)
	if nulls[0] == 0 {
		if err := Allreduce(ctx, c, out, opOf[T](op)); err != nil {
			return nil, err
		}
		return arrayOf(a.DataType(), out, nil, 0), nil
	}
	list := make([]optional[T], len(values))
	for i, v := range values {
		if a.IsValid(i) {
			list[i] = optional[T]{v, true}
		}
	}
	if err := Allreduce(ctx, c, list, whereValid(opOf[T](op))); err != nil {
		return nil, err
	}
	bitmap, missing := make([]byte, (len(list)+7)/8), 0
	for i, o := range list {
		if out[i] = o.Value; o.Valid {
			bitmap[i/8] |= 1 << (i % 8)
		} else {
			missing++
		}
	}
	return arrayOf(a.DataType(), out, bitmap, missing), nil
}

// whereValid is an operator that leaves nulls out.
func whereValid[T Number](op Op[T]) Op[optional[T]] {
	return func(into, from []optional[T]) {
		for i, f := range from {
			switch {
			case !f.Valid:
			case !into[i].Valid:
				into[i] = f
			default:
				value := [1]T{into[i].Value}
				op(value[:], []T{f.Value})
				into[i].Value = value[0]
			}
		}
	}
}

func arrayOf[T Number](t arrow.DataType, values []T, bitmap []byte, nulls int) arrow.Array {
	data := array.NewData(t, len(values), []*memory.Buffer{bufferOf(bitmap), bufferOf(bytesOf(values))}, nil, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

func bufferOf(b []byte) *memory.Buffer {
	if b == nil {
		return nil
	}
	return memory.NewBufferBytes(b)
}
