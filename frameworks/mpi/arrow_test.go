package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

func TestArrays(t *testing.T) {
	everywhere(t, func(ctx context.Context, world *mpi.Comm) error {
		n, me := world.Size(), world.Rank()
		b := array.NewInt32Builder(memory.NewGoAllocator())
		defer b.Release()
		b.AppendValues([]int32{int32(me), 5, 7, 9}, []bool{true, false, me == 0, me != 0})
		a := b.NewInt32Array()
		defer a.Release()
		got, err := mpi.AllreduceArray(ctx, world, a, mpi.Add)
		if err != nil {
			return err
		}
		defer got.Release()
		want := fmt.Sprintf("[%d (null) 7 %d]", n*(n-1)/2, 9*(n-1))
		if n == 1 {
			want = "[0 (null) 7 (null)]"
		}
		if got.String() != want {
			return fmt.Errorf("got %v, want %s", got, want)
		}
		f := array.NewFloat64Builder(memory.NewGoAllocator())
		defer f.Release()
		f.AppendValues([]float64{float64(me), 1}, nil)
		x := f.NewFloat64Array()
		defer x.Release()
		most, err := mpi.AllreduceArray(ctx, world, x, mpi.Greatest)
		if err != nil {
			return err
		}
		defer most.Release()
		if want := fmt.Sprintf("[%d 1]", n-1); most.String() != want {
			return fmt.Errorf("got %v, want %s", most, want)
		}
		none := array.NewNull(3)
		defer none.Release()
		if _, err := mpi.AllreduceArray(ctx, world, none, mpi.Add); err == nil {
			return errors.New("nulls were added up")
		}
		return nil
	})
}

func TestRecords(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "name", Type: arrow.BinaryTypes.String}}, nil)
	everywhere(t, func(ctx context.Context, world *mpi.Comm) error {
		n, me := world.Size(), world.Rank()
		r, err := mpi.NewRecords(world, schema)
		if err != nil {
			return err
		}
		b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
		defer b.Release()
		b.Field(0).(*array.Int64Builder).Append(int64(me))
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprint("rank ", me))
		rec := b.NewRecord()
		defer rec.Release()
		if err := r.Send(ctx, (me+1)%n, 4, rec); err != nil {
			return err
		}
		if err := mpi.SendObject(ctx, world, (me+1)%n, 4, map[string]int{"me": me}); err != nil {
			return err
		}
		got, from, err := r.Recv(ctx, mpi.AnySource, 4)
		if err != nil {
			return err
		}
		defer got.Release()
		if name := got.Column(1).(*array.String).Value(0); from != (me+n-1)%n || name != fmt.Sprint("rank ", from) {
			return fmt.Errorf("%q came from %d", name, from)
		}
		object, s, err := mpi.RecvObject[map[string]int](ctx, world, mpi.AnySource, mpi.AnyTag)
		if err != nil || object["me"] != from || s.Source != from {
			return fmt.Errorf("the object %v, %+v, %v", object, s, err)
		}
		return nil
	})
}

func TestLocatedExtremes(t *testing.T) {
	everywhere(t, func(ctx context.Context, world *mpi.Comm) error {
		n, me := world.Size(), world.Rank()
		least := []mpi.Located[float64]{{Value: float64((me + 1) % n), At: me}, {Value: 1, At: me}}
		greatest := append([]mpi.Located[float64](nil), least...)
		if err := mpi.Allreduce(ctx, world, least, mpi.MinLoc); err != nil {
			return err
		}
		if err := mpi.Allreduce(ctx, world, greatest, mpi.MaxLoc); err != nil {
			return err
		}
		if err := same("least", least, []mpi.Located[float64]{{Value: 0, At: n - 1}, {Value: 1, At: 0}}); err != nil {
			return err
		}
		return same("greatest", greatest, []mpi.Located[float64]{{Value: float64(n - 1), At: max(0, n-2)}, {Value: 1, At: 0}})
	})
}
