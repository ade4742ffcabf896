package mpi

import (
	"context"

	"github.com/capstan-run/capstan/core"
)

// View is elements of a slice that do not lie side by side: blocks of equal
// length. A column of a matrix is one.
type View[T any] struct {
	of    []T
	block int
	at    []int // where blocks begin
}

// Strided is so many blocks, each so many elements after the one before.
func Strided[T any](of []T, blocks, block, stride int) View[T] {
	at := make([]int, blocks)
	for i := range at {
		at[i] = i * stride
	}
	return View[T]{of, block, at}
}

// Indexed is blocks that begin at places.
func Indexed[T any](of []T, block int, at ...int) View[T] {
	return View[T]{of, block, append([]int(nil), at...)}
}

// Len is the number of elements.
func (v View[T]) Len() int { return v.block * len(v.at) }

// Pack appends the elements to a slice.
func (v View[T]) Pack(to []T) []T {
	for _, i := range v.at {
		to = append(to, v.of[i:i+v.block]...)
	}
	return to
}

// Unpack sets the elements, as many as there are in from.
func (v View[T]) Unpack(from []T) {
	for _, i := range v.at {
		from = from[copy(v.of[i:i+v.block], from):]
	}
}

// SendView is [Send] of a view.
func SendView[T any](ctx context.Context, c *Comm, to, tag int, v View[T]) error {
	return Send(ctx, c, to, tag, v.Pack(make([]T, 0, v.Len())))
}

// RecvView is [Recv] into a view, which need not be filled.
func RecvView[T any](ctx context.Context, c *Comm, from, tag int, v View[T]) (Status, error) {
	if from == Null {
		return Status{Source: Null, Tag: AnyTag}, nil
	}
	m, err := c.RecvMessage(ctx, from, tag)
	if err != nil {
		return Status{}, err
	}
	defer m.Release()
	values, err := Values[T](m)
	if err == nil && len(values) > v.Len() {
		err = core.Errorf(core.Invalid, "truncated: %d elements were sent, the view has %d", len(values), v.Len())
	}
	if err != nil {
		return m.Status, c.failed("receive from", m.Source, m.Tag, err)
	}
	v.Unpack(values)
	return m.Status, nil
}
