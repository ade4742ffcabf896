package meshtest

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// testCloseDrains closes behind what was sent.
func testCloseDrains(t *testing.T, gang Make) {
	for _, n := range []int{8, 5000, 30 << 10, 100 << 10} {
		ctx, g := Deadline(t), Join(t, gang(t, 2))
		sent := fill(t, g[0], 1, 1, n, (80<<20)/(n+64))
		must(t, g[0].Close(ctx))
		for i := range sent {
			must(t, expect(ctx, g[1], 0, 1, i, n))
		}
		_, err := g[1].Recv(ctx, 0, 1)
		wantPeer(t, err, 0, mesh.ErrLeft)
		wantPeer(t, g[1].Send(ctx, 0, 1, payload(1, 0, 10)), 0, mesh.ErrLeft)
		wantPeer(t, g[1].Send(ctx, 0, 1, payload(1, 0, 1<<20)), 0, mesh.ErrLeft)
		wantPeer(t, g[1].Signal(ctx, 0, 1, nil), 0, mesh.ErrLeft)
		_, err = g[1].Recv(ctx, mesh.Any, 1)
		wantPeer(t, err, 0, mesh.ErrLeft)
		must(t, g[1].Close(ctx))
		if err := g[0].Send(ctx, 1, 1); !errors.Is(err, mesh.ErrClosed) {
			t.Errorf("send on a closed mesh: %v", err)
		}
		if _, err := g[0].Recv(ctx, 1, 1); !errors.Is(err, mesh.ErrClosed) {
			t.Errorf("receive on a closed mesh: %v", err)
		}
	}
}

func wantPeer(t *testing.T, err error, rank int, why error) {
	t.Helper()
	var peer *mesh.PeerError
	if !errors.As(err, &peer) || peer.Rank != rank || !errors.Is(err, why) {
		t.Errorf("error %v (%T), want of rank %d: %v", err, err, rank, why)
	}
	if e := core.AsError(err); err != nil && (e.Where == "" || e.Remedy == "") {
		t.Errorf("error %v says neither where nor what to do", err)
	}
}

// testCloseUnblocks closes a mesh in which calls are blocked.
func testCloseUnblocks(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 3))
	fill(t, g[0], 1, 1, 10<<10, 1<<13)
	var group errgroup.Group
	blocked := []func() error{
		func() error { return g[0].Send(ctx, 1, 1, payload(0, 0, 10<<10)) },
		func() error { return g[0].Send(ctx, 1, 1, payload(0, 0, 40<<20)) },
		func() error { _, err := g[0].Recv(ctx, 1, 7); return err },
		func() error { _, err := g[0].Recv(ctx, mesh.Any, 7); return err },
		func() error { _, err := g[0].RecvSignal(ctx, 2, 7); return err },
	}
	for i, call := range blocked {
		group.Go(func() error {
			if err := call(); !errors.Is(err, mesh.ErrClosed) {
				t.Errorf("blocked call %d: %v", i, err)
			}
			return nil
		})
	}
	must(t, g[0].Close(ctx))
	must(t, group.Wait())
	// The others go on.
	must(t, g[1].Send(ctx, 2, 1, payload(1, 1, 100)))
	must(t, expect(ctx, g[2], 1, 1, 1, 100))
	g.Close(t)
}

// testLeaver closes a rank to which much was sent: its sender has all of its
// memory back for the others.
func testLeaver(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 3))
	const n, count = 1<<20 + 1, 100
	fill(t, g[0], 1, 1, n, count)
	must(t, g[1].Close(ctx))
	var group errgroup.Group
	group.Go(func() error {
		for i := range count {
			if err := g[0].Send(ctx, 2, 1, payload(0, i, n)); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range count {
		must(t, expect(ctx, g[2], 0, 1, i, n))
	}
	must(t, group.Wait())
	g.Close(t)
}

// testOutlives reads messages and buffers after both ranks are closed.
func testOutlives(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 2))
	var held []*mesh.Message
	lengths := []int{10, 10 << 10, 100 << 10, 1 << 20}
	var group errgroup.Group
	group.Go(func() error {
		for i, n := range lengths {
			if err := g[0].Send(ctx, 1, 0, payload(0, i, n)); err != nil {
				return err
			}
		}
		return nil
	})
	for range lengths {
		m, err := g[1].Recv(ctx, 0, 0)
		must(t, err)
		held = append(held, m)
	}
	must(t, group.Wait())
	b, err := g[0].Alloc(ctx, 1<<20)
	must(t, err)
	g.Close(t)
	for i, m := range held {
		must(t, check(m, 0, i, lengths[i]))
		m.Release()
		m.Release()
	}
	copy(b.Bytes(), payload(0, 7, 1<<20))
	if !bytes.Equal(b.Bytes(), payload(0, 7, 1<<20)) {
		t.Error("a buffer changed")
	}
	b.Release()
}

// testLost ends one of three ranks without a goodbye.
func testLost(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 3))
	must(t, g[2].Send(ctx, 0, 1, payload(2, 0, 100)))
	must(t, expect(ctx, g[0], 2, 1, 0, 100))
	fill(t, g[0], 2, 1, 10<<10, 1<<13)
	var group errgroup.Group
	concerned := []func() error{
		func() error { return g[0].Send(ctx, 2, 1, payload(0, 0, 10<<10)) },
		func() error { return g[0].Send(ctx, 2, 1, payload(0, 0, 40<<20)) },
		func() error { _, err := g[0].Recv(ctx, 2, 7); return err },
		func() error { _, err := g[0].Recv(ctx, mesh.Any, 7); return err },
		func() error { _, err := g[1].RecvSignal(ctx, 2, 7); return err },
		// These go until the window is full.
		func() error { return endless(func() error { return g[1].Signal(ctx, 2, 1, payload(1, 0, 4000)) }) },
		func() error { return endless(func() error { return hand(ctx, g[1], 2, 100) }) },
	}
	for _, call := range concerned {
		group.Go(func() error {
			wantPeer(t, call(), 2, mesh.ErrLost)
			return nil
		})
	}
	group.Go(func() error { return expect(ctx, g[0], 1, 5, 0, 1000) })
	g[2].Abort()
	// Only now may the call that is not concerned return.
	_, err := g[0].Recv(ctx, 2, 9)
	wantPeer(t, err, 2, mesh.ErrLost)
	must(t, g[1].Send(ctx, 0, 5, payload(1, 0, 1000)))
	must(t, group.Wait())

	wantPeer(t, hand(ctx, g[0], 2, 1<<20), 2, mesh.ErrLost)
	_, err = g[0].Recv(ctx, mesh.Any, 7)
	wantPeer(t, err, 2, mesh.ErrLost)
	g[0].Forgive(2)
	must(t, g[1].Send(ctx, 0, 7, payload(1, 1, 10)))
	must(t, expectAny(ctx, g[0], 7, 1, 1, 10))
	g[:2].Close(t)
}

// endless calls until there is an error.
func endless(call func() error) error {
	for {
		if err := call(); err != nil {
			return err
		}
	}
}

// hand hands a buffer of n bytes over.
func hand(ctx context.Context, m *mesh.Mesh, to, n int) error {
	b, err := m.Alloc(ctx, n)
	if err != nil {
		return err
	}
	return m.Hand(ctx, to, 1, b)
}

func expectAny(ctx context.Context, m *mesh.Mesh, tag mesh.Tag, from, seq, n int) error {
	msg, err := m.Recv(ctx, mesh.Any, tag)
	if err != nil {
		return err
	}
	defer msg.Release()
	return check(msg, from, seq, n)
}

// testLostMidway loses a rank while large messages are on their way: each call
// gets its message whole or an error, and none hangs.
func testLostMidway(t *testing.T, gang Make) {
	const n = 33 << 20
	for _, victim := range []int{0, 1} {
		ctx, g := Deadline(t), Join(t, gang(t, 2))
		var group errgroup.Group
		group.Go(func() error {
			for i := 0; ; i++ {
				if err := g[0].Send(ctx, 1, 1, payload(0, i, n)); err != nil {
					return nil
				}
			}
		})
		must(t, expect(ctx, g[1], 0, 1, 0, n))
		group.Go(func() error {
			for i := 1; ; i++ {
				msg, err := g[1].Recv(ctx, 0, 1)
				if err != nil {
					return nil
				}
				if err := check(msg, 0, i, n); err != nil {
					t.Error(err)
				}
				msg.Release()
			}
		})
		g[victim].Abort()
		must(t, group.Wait())
		if victim == 0 {
			_, err := g[1].Recv(ctx, 0, 1)
			wantPeer(t, err, 0, mesh.ErrLost)
		} else {
			wantPeer(t, g[0].Send(ctx, 1, 1, payload(0, 0, n)), 1, mesh.ErrLost)
		}
		must(t, g[1-victim].Close(ctx))
	}
}
