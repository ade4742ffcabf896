package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/capstan-run/capstan/frameworks/mpi"
)

// two runs a program on each of two ranks.
func two(t *testing.T, first, second mpi.Program) {
	t.Helper()
	must(t, mpi.Local(deadline(t), 2, func(ctx context.Context, world *mpi.Comm) error {
		if world.Rank() == 0 {
			return first(ctx, world)
		}
		return second(ctx, world)
	}))
}

// TestNoOvertaking: what one sender sends is received in order, whether it goes
// at once or waits, under one tag, several, or any.
func TestNoOvertaking(t *testing.T) {
	const n = 400
	length := func(i int) int { return []int{1, 3000, 200_000}[i%3] }
	two(t, func(ctx context.Context, world *mpi.Comm) error {
		var requests []*mpi.Request
		for i := range n {
			data := make([]byte, length(i))
			data[0] = byte(i)
			var r *mpi.Request
			var err error
			switch i % 7 {
			case 3:
				r, err = mpi.Issend(ctx, world, 1, i%2, data)
			case 5:
				if i > n-20 && i%2 == 1 { // which is received in this order
					err = mpi.Send(ctx, world, 1, i%2, data)
					break
				}
				fallthrough
			default:
				r, err = mpi.Isend(ctx, world, 1, i%2, data)
			}
			if err != nil {
				return err
			}
			if r != nil {
				requests = append(requests, r)
			}
		}
		return mpi.WaitAll(ctx, requests...)
	}, func(ctx context.Context, world *mpi.Comm) error {
		into := make([]byte, 200_000)
		for i := range n / 2 {
			s, err := mpi.Recv(ctx, world, mpi.AnySource, mpi.AnyTag, into)
			if err != nil {
				return err
			}
			if want := (mpi.Status{Source: 0, Tag: i % 2, Count: length(i)}); s != want || into[0] != byte(i) {
				return fmt.Errorf("message %d came as %+v, number %d", i, s, into[0])
			}
		}
		for _, odd := range []int{1, 0} {
			for i := n/2 + odd; i < n; i += 2 {
				s, err := mpi.Recv(ctx, world, 0, odd, into)
				if err != nil {
					return err
				}
				if s.Count != length(i) || into[0] != byte(i) {
					return fmt.Errorf("message %d came as %+v, number %d", i, s, into[0])
				}
			}
		}
		return nil
	})
}

// TestManyLargeBeforeAnyReceive: sends that were begun do not block, and what is
// received in another order than it was sent is found.
func TestManyLargeBeforeAnyReceive(t *testing.T) {
	two(t, func(ctx context.Context, world *mpi.Comm) error {
		var requests []*mpi.Request
		for tag := range 5 {
			r, err := mpi.Isend(ctx, world, 1, tag, slices.Repeat([]int32{int32(tag)}, 500_000))
			if err != nil {
				return err
			}
			requests = append(requests, r)
		}
		if err := world.Barrier(ctx); err != nil {
			return err
		}
		return mpi.WaitAll(ctx, requests...)
	}, func(ctx context.Context, world *mpi.Comm) error {
		if err := world.Barrier(ctx); err != nil {
			return err
		}
		into := make([]int32, 500_000)
		for tag := 4; tag >= 0; tag-- {
			if _, err := mpi.Recv(ctx, world, 0, tag, into); err != nil {
				return err
			}
			if into[499_999] != int32(tag) {
				return fmt.Errorf("tag %d brought %d", tag, into[499_999])
			}
		}
		return nil
	})
}

func TestSsendWaitsForItsReceiver(t *testing.T) {
	two(t, func(ctx context.Context, world *mpi.Comm) error {
		r, err := mpi.Issend(ctx, world, 1, 1, []int{5})
		if err != nil {
			return err
		}
		if err := mpi.Send(ctx, world, 1, 2, []int{0}); err != nil {
			return err
		}
		if _, err := mpi.Recv(ctx, world, 1, 3, make([]int, 1)); err != nil {
			return err
		}
		if _, done, err := r.Test(); done || err != nil {
			return fmt.Errorf("done before it was received: %v", err)
		}
		if err := mpi.Send(ctx, world, 1, 4, []int{0}); err != nil {
			return err
		}
		_, err = r.Wait(ctx)
		return err
	}, func(ctx context.Context, world *mpi.Comm) error {
		for _, tag := range []int{2, -3, 4, 1} {
			var err error
			if tag < 0 {
				err = mpi.Ssend(ctx, world, 0, -tag, []int{0})
			} else {
				_, err = mpi.Recv(ctx, world, 0, tag, make([]int, 1))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// TestWaitAny receives from all, as they come.
func TestWaitAny(t *testing.T) {
	everywhere(t, func(ctx context.Context, world *mpi.Comm) error {
		n, me := world.Size(), world.Rank()
		into, requests := make([][1]int, n), make([]*mpi.Request, n)
		for r := range n {
			var err error
			if requests[r], err = mpi.Irecv(ctx, world, r, 0, into[r][:]); err != nil {
				return err
			}
		}
		for r := range n {
			if err := mpi.Send(ctx, world, r, 0, []int{me * n}); err != nil {
				return err
			}
		}
		seen := map[int]bool{}
		for len(seen) < n/2 {
			i, s, err := mpi.WaitAny(ctx, requests...)
			if err != nil || s.Source != i || seen[i] || into[i][0] != i*n {
				return fmt.Errorf("request %d: %+v, %v, %v", i, s, into[i], err)
			}
			seen[i] = true
		}
		for len(seen) < n {
			done, err := mpi.WaitSome(ctx, requests...)
			if err != nil || len(done) == 0 {
				return fmt.Errorf("%v, %v", done, err)
			}
			for _, i := range done {
				if seen[i] || into[i][0] != i*n {
					return fmt.Errorf("request %d again, or %v", i, into[i])
				}
				seen[i] = true
			}
		}
		if i, _, err := mpi.WaitAny(ctx, requests...); i != -1 || err != nil {
			return fmt.Errorf("nothing is left, and %d, %v came", i, err)
		}
		done, err := mpi.TestAll(requests...)
		if !done || err != nil {
			return fmt.Errorf("all are done: %v, %v", done, err)
		}
		return nil
	})
}

func TestPersistent(t *testing.T) {
	everywhere(t, func(ctx context.Context, world *mpi.Comm) error {
		n, me := world.Size(), world.Rank()
		out, in := make([]int, 1), make([]int, 1)
		send, recv := mpi.SendInit(world, (me+1)%n, 0, out), mpi.RecvInit(world, (me+n-1)%n, 0, in)
		for round := range 5 {
			out[0] = round*n + me
			r, err := recv.Start(ctx)
			if err != nil {
				return err
			}
			s, err := send.Start(ctx)
			if err != nil {
				return err
			}
			if _, err := recv.Start(ctx); err == nil {
				return errors.New("started twice")
			}
			if err := mpi.WaitAll(ctx, s, r); err != nil {
				return err
			}
			if err := same("round", in, []int{round*n + (me+n-1)%n}); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestProbe(t *testing.T) {
	two(t, func(ctx context.Context, world *mpi.Comm) error {
		if err := mpi.Send(ctx, world, 1, 8, []float32{1, 2, 3}); err != nil {
			return err
		}
		if err := mpi.Send(ctx, world, 1, 9, []byte("x")); err != nil {
			return err
		}
		return world.Barrier(ctx)
	}, func(ctx context.Context, world *mpi.Comm) error {
		s, k, err := world.Probe(ctx, mpi.AnySource, mpi.AnyTag)
		if want := (mpi.Status{Source: 0, Tag: 8, Count: 3}); s != want || k != reflect.Float32 || err != nil {
			return fmt.Errorf("probe: %+v of %v, %v", s, k, err)
		}
		if _, _, err := world.Probe(ctx, 0, 9); err != nil {
			return err
		}
		if _, _, ok, err := world.Iprobe(ctx, 0, 7); ok || err != nil {
			return fmt.Errorf("there is nothing under 7: %v, %v", ok, err)
		}
		m, err := world.Improbe(ctx, 0, mpi.AnyTag)
		if err != nil {
			return err
		}
		v, err := mpi.Values[float32](m)
		if err != nil {
			return err
		}
		if err := same("message", v, []float32{1, 2, 3}); err != nil {
			return err
		}
		if _, err := mpi.Values[int32](m); err == nil {
			return errors.New("float32 as int32")
		}
		m.Release()
		r, err := world.PostMessage(mpi.AnySource, mpi.AnyTag)
		if err != nil {
			return err
		}
		if _, err := r.Wait(ctx); err != nil {
			return err
		}
		defer r.Message().Release()
		if err := same("posted message", r.Message().Bytes, []byte("x")); err != nil {
			return err
		}
		return world.Barrier(ctx)
	})
}

// TestHand passes a buffer along, in its place among messages.
func TestHand(t *testing.T) {
	two(t, func(ctx context.Context, world *mpi.Comm) error {
		for _, n := range []int{0, 5, 100_000} {
			b, err := mpi.Alloc[int64](ctx, world, n)
			if err != nil {
				return err
			}
			copy(b.Values, values(3, n))
			if err := b.Hand(ctx, 1, 0); err != nil {
				return err
			}
		}
		b, err := mpi.Alloc[int64](ctx, world, 9)
		if err != nil {
			return err
		}
		b.Release()
		return nil
	}, func(ctx context.Context, world *mpi.Comm) error {
		for _, n := range []int{0, 5, 100_000} {
			m, err := world.RecvMessage(ctx, 0, 0)
			if err != nil {
				return err
			}
			v, err := mpi.Values[int64](m)
			if err != nil {
				return err
			}
			if err := same("handed", v, values(3, n)); err != nil {
				return err
			}
			m.Release()
		}
		return nil
	})
}

// TestCancelledContexts: a call that its context ends has had no effect.
func TestCancelledContexts(t *testing.T) {
	must(t, mpi.Local(deadline(t), 1, func(ctx context.Context, world *mpi.Comm) error {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := mpi.Recv(gone, world, 0, 1, []int{0}); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("receive: %v", err)
		}
		if err := mpi.Ssend(gone, world, 0, 1, []int{7}); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("send: %v", err)
		}
		r, err := mpi.Irecv(ctx, world, 0, 1, []int{0})
		if err != nil {
			return err
		}
		if _, err := r.Wait(gone); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("wait: %v", err)
		}
		if !r.Cancel() {
			return errors.New("the receive could not be cancelled")
		}
		into := []int{0}
		if _, err := mpi.Sendrecv(ctx, world, 0, 1, []int{9}, 0, 1, into); err != nil {
			return err
		}
		return same("after all that", into, []int{9})
	}))
}
