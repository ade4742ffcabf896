package meshtest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Run holds a kind of link to the laws of package mesh.
func Run(t *testing.T, gang Make) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Make)
	}{
		{"Sizes", testSizes},
		{"Parts", testParts},
		{"Order", testOrder},
		{"AllToAll", testAllToAll},
		{"Any", testAny},
		{"Self", testSelf},
		{"Hand", testHand},
		{"Held", testHeld},
		{"Window", testWindow},
		{"OtherTag", testOtherTag},
		{"Control", testControl},
		{"SignalWindow", testSignalWindow},
		{"CancelRecv", testCancelRecv},
		{"CancelSend", testCancelSend},
		{"CloseDrains", testCloseDrains},
		{"CloseUnblocks", testCloseUnblocks},
		{"Leaver", testLeaver},
		{"Outlives", testOutlives},
		{"Lost", testLost},
		{"LostMidway", testLostMidway},
		{"Misuse", testMisuse},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, gang) })
	}
}

// sizes are on both sides of every limit.
var sizes = []int{0, 1, 7, 8, 63, 64, 65, 4095, 4096, 16<<10 - 1, 16 << 10, 16<<10 + 1, 64 << 10, 64<<10 + 1,
	256 << 10, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 5, 33<<20 + 7}

func testSizes(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 2))
	var group errgroup.Group
	for me := range 2 {
		it := 1 - me
		group.Go(func() error {
			for i, n := range sizes {
				if err := g[me].Send(ctx, it, 5, payload(me, i, n)); err != nil {
					return fmt.Errorf("send %d bytes: %w", n, err)
				}
			}
			return nil
		})
		group.Go(func() error {
			for i, n := range sizes {
				if err := expect(ctx, g[me], it, 5, i, n); err != nil {
					return err
				}
			}
			return nil
		})
	}
	must(t, group.Wait())
	g.Close(t)
}

// testParts sends messages in pieces, and changes them after Send.
func testParts(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 2))
	var group errgroup.Group
	lengths := []int{10, 1000, 40000, 300000, 2 << 20}
	group.Go(func() error {
		for i, n := range lengths {
			b := payload(0, i, n)
			parts := [][]byte{nil, b[:n/3], b[n/3 : n/3+1], {}, b[n/3+1 : n-1], b[n-1:]}
			if err := g[0].Send(ctx, 1, 0, parts...); err != nil {
				return err
			}
			clear(b)
		}
		return nil
	})
	for i, n := range lengths {
		must(t, expect(ctx, g[1], 0, 0, i, n))
	}
	must(t, group.Wait())
	g.Close(t)
}

// testOrder sends several tags at once and receives each in its own order.
func testOrder(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 2))
	const tags, count = 4, 150
	size := func(tag, i int) int {
		r := rand.New(rand.NewPCG(uint64(tag), uint64(i)))
		return r.IntN(1 << r.IntN(18))
	}
	var group errgroup.Group
	for tag := range tags {
		group.Go(func() error {
			for i := range count {
				if err := g[0].Send(ctx, 1, mesh.Tag(tag), payload(tag, i, size(tag, i))); err != nil {
					return err
				}
			}
			return nil
		})
		group.Go(func() error {
			for i := range count {
				msg, err := g[1].Recv(ctx, 0, mesh.Tag(tag))
				if err != nil {
					return err
				}
				msg.From = tag // the payloads are numbered by tag
				if err := check(msg, tag, i, size(tag, i)); err != nil {
					return fmt.Errorf("tag %d: %w", tag, err)
				}
				msg.Release()
			}
			return nil
		})
	}
	must(t, group.Wait())
	g.Close(t)
}

// testAllToAll has every rank send to every rank, itself included, while it
// receives.
func testAllToAll(t *testing.T, gang Make) {
	const size, rounds = 4, 30
	ctx, g := Deadline(t), Join(t, gang(t, size))
	length := func(from, to, i int) int { return (from*31 + to*17 + i*i*97) % (40 << 10) * (1 + i%7) }
	var group errgroup.Group
	for me := range size {
		group.Go(func() error {
			for i := range rounds {
				for to := range size {
					if err := g[me].Send(ctx, to, mesh.Tag(i%3), payload(me, i, length(me, to, i))); err != nil {
						return err
					}
				}
			}
			return nil
		})
		group.Go(func() error {
			for i := range rounds {
				for from := range size {
					if err := expect(ctx, g[me], from, mesh.Tag(i%3), i, length(from, me, i)); err != nil {
						return fmt.Errorf("rank %d: %w", me, err)
					}
				}
			}
			return nil
		})
	}
	must(t, group.Wait())
	g.Close(t)
}

// testAny receives from whoever sends; each sender's order holds.
func testAny(t *testing.T, gang Make) {
	const size, count = 4, 200
	ctx, g := Deadline(t), Join(t, gang(t, size))
	var group errgroup.Group
	for me := 1; me < size; me++ {
		group.Go(func() error {
			for i := range count {
				if err := g[me].Send(ctx, 0, 1, payload(me, i, i*37)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	var next [size]int
	for range (size - 1) * count {
		msg, err := g[0].Recv(ctx, mesh.Any, 1)
		must(t, err)
		must(t, check(msg, msg.From, next[msg.From], next[msg.From]*37))
		next[msg.From]++
		msg.Release()
	}
	must(t, group.Wait())
	g.Close(t)
}

func testSelf(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 1))
	for i := range 10 {
		must(t, g[0].Send(ctx, 0, 3, payload(0, i, 100*i)))
	}
	for i := range 10 {
		must(t, expect(ctx, g[0], 0, 3, i, 100*i))
	}
	g.Close(t)
}

// testHand moves buffers, and more of them than there is memory for.
func testHand(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 2))
	const count, n = 16, 5<<20 + 3
	var group errgroup.Group
	group.Go(func() error {
		for i := range count {
			b, err := g[0].Alloc(ctx, n)
			if err != nil {
				return err
			}
			copy(b.Bytes(), payload(0, i, n))
			if err := g[0].Hand(ctx, 1, 2, b); err != nil {
				return err
			}
			b.Release() // it is not ours any more: nothing happens
		}
		b, err := g[0].Alloc(ctx, 10)
		if err != nil {
			return err
		}
		copy(b.Bytes(), payload(0, count, 10))
		return g[0].Hand(ctx, 1, 2, b)
	})
	for i := range count {
		must(t, expect(ctx, g[1], 0, 2, i, n))
	}
	must(t, expect(ctx, g[1], 0, 2, count, 10))
	must(t, group.Wait())
	g.Close(t)
}

// testHeld keeps many messages before it releases any: their memory is not
// used twice.
func testHeld(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 2))
	const count, n = 100, 100<<10 + 1
	var group errgroup.Group
	group.Go(func() error {
		for i := range count {
			if err := g[0].Send(ctx, 1, 0, payload(0, i, n)); err != nil {
				return err
			}
		}
		return nil
	})
	var held []*mesh.Message
	for range count {
		m, err := g[1].Recv(ctx, 0, 0)
		must(t, err)
		held = append(held, m)
	}
	must(t, group.Wait())
	for i, m := range held {
		must(t, check(m, 0, i, n))
		m.Release()
	}
	g.Close(t)
}

func testMisuse(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 2))
	for _, r := range []int{-1, 2} {
		if err := g[0].Send(ctx, r, 0, nil); err == nil {
			t.Errorf("sent to rank %d of 2", r)
		}
	}
	for _, r := range []int{-2, 2} {
		if _, err := g[0].Recv(ctx, r, 0); err == nil {
			t.Errorf("received from rank %d of 2", r)
		}
	}
	if err := g[0].Signal(ctx, 1, 0, make([]byte, mesh.MaxSignal+1)); err == nil {
		t.Error("a signal of any size was sent")
	}
	g.Close(t)
}
