package mpi_test

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

func Example() {
	err := mpi.Local(context.Background(), 4, func(ctx context.Context, world *mpi.Comm) error {
		sum := []int{world.Rank()}
		if err := mpi.Allreduce(ctx, world, sum, mpi.Sum); err != nil {
			return err
		}
		if world.Rank() == 0 {
			fmt.Println(world.Size(), "ranks say", sum[0])
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 4 ranks say 6
}

// run runs an example's program.
func run(ranks int, program mpi.Program) {
	if err := mpi.Local(context.Background(), ranks, program); err != nil {
		fmt.Println(err)
	}
}

func ExampleSend() {
	run(2, func(ctx context.Context, world *mpi.Comm) error {
		if world.Rank() == 0 {
			return mpi.Send(ctx, world, 1, 7, []float64{3, 1, 4})
		}
		into := make([]float64, 10)
		status, err := mpi.Recv(ctx, world, mpi.AnySource, mpi.AnyTag, into)
		fmt.Println(into[:status.Count], "from", status.Source, "under", status.Tag)
		return err
	})
	// Output: [3 1 4] from 0 under 7
}

// Each rank passes its number to the right while it waits for the one from the
// left.
func ExampleIrecv() {
	run(3, func(ctx context.Context, world *mpi.Comm) error {
		n, me := world.Size(), world.Rank()
		left := []int{0}
		in, err := mpi.Irecv(ctx, world, (me+n-1)%n, 0, left)
		if err != nil {
			return err
		}
		out, err := mpi.Isend(ctx, world, (me+1)%n, 0, []int{me})
		if err != nil {
			return err
		}
		if err := mpi.WaitAll(ctx, in, out); err != nil {
			return err
		}
		if me == 0 {
			fmt.Println("left of 0 is", left[0])
		}
		return nil
	})
	// Output: left of 0 is 2
}

// A message is read where it lies, without a copy.
func ExampleComm_RecvMessage() {
	run(2, func(ctx context.Context, world *mpi.Comm) error {
		if world.Rank() == 0 {
			b, err := mpi.Alloc[int32](ctx, world, 1000)
			if err != nil {
				return err
			}
			for i := range b.Values {
				b.Values[i] = int32(i)
			}
			return b.Hand(ctx, 1, 0)
		}
		m, err := world.RecvMessage(ctx, 0, 0)
		if err != nil {
			return err
		}
		defer m.Release()
		values, err := mpi.Values[int32](m)
		if err != nil {
			return err
		}
		fmt.Println(m.Count, "elements, the last", values[999])
		return nil
	})
	// Output: 1000 elements, the last 999
}

func ExampleGather() {
	run(3, func(ctx context.Context, world *mpi.Comm) error {
		all := make([]string, 0)
		squares := make([]int, world.Size())
		if err := mpi.Gather(ctx, world, 0, []int{world.Rank() * world.Rank()}, squares); err != nil {
			return err
		}
		if world.Rank() == 0 {
			for _, s := range squares {
				all = append(all, fmt.Sprint(s))
			}
			fmt.Println(all)
		}
		return nil
	})
	// Output: [0 1 4]
}

// MinLoc finds the least value and where it is.
func ExampleMinLoc() {
	run(3, func(ctx context.Context, world *mpi.Comm) error {
		heights := []float64{3.5, 1.25, 2}
		least := []mpi.Located[float64]{{Value: heights[world.Rank()], At: world.Rank()}}
		if err := mpi.Allreduce(ctx, world, least, mpi.MinLoc); err != nil {
			return err
		}
		if world.Rank() == 0 {
			fmt.Println(least[0].Value, "on rank", least[0].At)
		}
		return nil
	})
	// Output: 1.25 on rank 1
}

func ExampleComm_Split() {
	run(4, func(ctx context.Context, world *mpi.Comm) error {
		half, err := world.Split(ctx, world.Rank()%2, world.Rank())
		if err != nil {
			return err
		}
		sum := []int{world.Rank()}
		if err := mpi.Allreduce(ctx, half, sum, mpi.Sum); err != nil {
			return err
		}
		if world.Rank() == 3 {
			fmt.Println("rank", half.Rank(), "of the odd, who sum up to", sum[0])
		}
		return nil
	})
	// Output: rank 1 of the odd, who sum up to 4
}

// On a grid each rank tells its neighbours its number; beyond the edge is nobody.
func ExampleNewCart() {
	run(6, func(ctx context.Context, world *mpi.Comm) error {
		dims, err := mpi.Dims(world.Size(), []int{0, 0})
		if err != nil {
			return err
		}
		grid, err := mpi.NewCart(ctx, world, dims, []bool{false, true})
		if err != nil {
			return err
		}
		around := []int{-1, -1, -1, -1}
		if err := mpi.NeighbourAllgather(ctx, grid.Comm, []int{grid.Rank()}, around); err != nil {
			return err
		}
		if grid.Rank() == 0 {
			fmt.Println(dims, "around", grid.Coords(0), "are", around)
		}
		return nil
	})
	// Output: [3 2] around [0 0] are [-1 2 1 1]
}

// Every rank counts in the memory of rank 0.
func ExampleNewWindow() {
	run(3, func(ctx context.Context, world *mpi.Comm) error {
		counter := make([]int64, 1)
		window, err := mpi.NewWindow(ctx, world, counter)
		if err != nil {
			return err
		}
		for range 10 {
			if _, err := window.FetchOp(ctx, 0, 0, 1, mpi.Add); err != nil {
				return err
			}
		}
		if err := window.Free(ctx); err != nil {
			return err
		}
		if world.Rank() == 0 {
			fmt.Println("counted", counter[0])
		}
		return nil
	})
	// Output: counted 30
}

// A column of a matrix is a view.
func ExampleStrided() {
	run(2, func(ctx context.Context, world *mpi.Comm) error {
		matrix := make([]int, 12) // 3 rows of 4
		column := mpi.Strided(matrix[1:], 3, 1, 4)
		if world.Rank() == 0 {
			column.Unpack([]int{7, 8, 9})
			return mpi.SendView(ctx, world, 1, 0, column)
		}
		_, err := mpi.RecvView(ctx, world, 0, 0, column)
		fmt.Println(matrix)
		return err
	})
	// Output: [0 7 0 0 0 8 0 0 0 9 0 0]
}

// The sum is made while each rank does something else.
func ExampleIallreduce() {
	run(3, func(ctx context.Context, world *mpi.Comm) error {
		sum := []float64{0.5}
		request, err := mpi.Iallreduce(ctx, world, sum, mpi.Sum)
		if err != nil {
			return err
		}
		work := world.Rank() * world.Rank()
		if _, err := request.Wait(ctx); err != nil {
			return err
		}
		if world.Rank() == 2 {
			fmt.Println(sum[0], "and", work)
		}
		return nil
	})
	// Output: 1.5 and 4
}

// Record batches go from rank to rank, on one host by reference.
func ExampleNewRecords() {
	schema := arrow.NewSchema([]arrow.Field{{Name: "city", Type: arrow.BinaryTypes.String}}, nil)
	run(2, func(ctx context.Context, world *mpi.Comm) error {
		records, err := mpi.NewRecords(world, schema)
		if err != nil {
			return err
		}
		if world.Rank() == 0 {
			b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
			defer b.Release()
			b.Field(0).(*array.StringBuilder).AppendValues([]string{"Lima", "Oslo"}, nil)
			rec := b.NewRecord()
			defer rec.Release()
			return records.Send(ctx, 1, 0, rec)
		}
		rec, from, err := records.Recv(ctx, mpi.AnySource, 0)
		if err != nil {
			return err
		}
		defer rec.Release()
		fmt.Println(rec.Column(0), "from", from)
		return nil
	})
	// Output: ["Lima" "Oslo"] from 0
}

// A value of any type takes the slow road.
func ExampleSendObject() {
	run(2, func(ctx context.Context, world *mpi.Comm) error {
		if world.Rank() == 0 {
			return mpi.SendObject(ctx, world, 1, 0, map[string]int{"answer": 42})
		}
		object, _, err := mpi.RecvObject[map[string]int](ctx, world, 0, 0)
		fmt.Println(object)
		return err
	})
	// Output: map[answer:42]
}

// The two ends of the world make a communicator.
func ExampleGroup() {
	run(4, func(ctx context.Context, world *mpi.Comm) error {
		all := world.Group()
		ends, err := all.Include(3, 0)
		if err != nil {
			return err
		}
		pair, err := world.Create(ctx, ends)
		if err != nil || pair == nil {
			return err
		}
		if world.Rank() == 3 {
			fmt.Println("rank 3 of the world is rank", pair.Rank(), "of", pair.Size())
		}
		return nil
	})
	// Output: rank 3 of the world is rank 0 of 2
}
