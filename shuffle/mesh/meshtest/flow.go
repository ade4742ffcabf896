package meshtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/shuffle/mesh"
)

// fill sends messages of n bytes until one does not go, and returns how many
// did.
func fill(t *testing.T, m *mesh.Mesh, to int, tag mesh.Tag, n, most int) int {
	t.Helper()
	for i := range most + 1 {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		err := m.Send(ctx, to, tag, payload(m.Rank(), i, n))
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return i
		}
		must(t, err)
	}
	t.Fatalf("%d messages of %d bytes went to a rank that receives none", most+1, n)
	return 0
}

// testWindow fills a window: the sender must stop, nothing may be lost, and
// another tag's messages are among what is received later.
func testWindow(t *testing.T, gang Make) {
	for _, n := range []int{0, 1000, 16 << 10, 60 << 10, 200 << 10} {
		ctx, g := Deadline(t), Join(t, gang(t, 2))
		// A window of 1 MiB, a ring, an arena: whatever it is, it is bounded.
		sent := fill(t, g[0], 1, 1, n, (80<<20)/(n+64))
		for i := range sent {
			must(t, expect(ctx, g[1], 0, 1, i, n))
		}
		var group errgroup.Group
		group.Go(func() error { return g[0].Send(ctx, 1, 1, payload(0, 12345, n)) })
		must(t, expect(ctx, g[1], 0, 1, 12345, n))
		must(t, group.Wait())
		g.Close(t)
	}
}

// testOtherTag asks for a tag whose messages lie behind a full window: the call
// waits, ends with its context, and gets its message once there is room.
func testOtherTag(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 2))
	const n = 10 << 10
	sent := fill(t, g[0], 1, 1, n, 1<<13)
	for _, from := range []int{0, mesh.Any} {
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		if _, err := g[1].Recv(short, from, 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("receive what was not sent: %v", err)
		}
		cancel()
	}
	var group errgroup.Group
	group.Go(func() error { return g[0].Send(ctx, 1, 2, payload(0, 9, n)) })
	group.Go(func() error { return expect(ctx, g[1], 0, 2, 9, n) })
	for i := range sent {
		must(t, expect(ctx, g[1], 0, 1, i, n))
	}
	must(t, group.Wait())
	g.Close(t)
}

// testControl passes signals where messages cannot pass, in both directions.
func testControl(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 2))
	fill(t, g[0], 1, 1, 10<<10, 1<<13)
	fill(t, g[1], 0, 1, 10<<10, 1<<13)
	for i := range 500 {
		for me := range 2 {
			must(t, g[me].Signal(ctx, 1-me, 1, payload(me, i, i)))
		}
		for me := range 2 {
			from := 1 - me
			if i%2 == 0 {
				from = mesh.Any
			}
			msg, err := g[me].RecvSignal(ctx, from, 1)
			must(t, err)
			must(t, check(msg, 1-me, i, i))
			msg.Release()
		}
	}
	for _, m := range g {
		m.Abort()
	}
}

// testSignalWindow has more signals on their way than are held.
func testSignalWindow(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 2))
	const count = 2000
	var group errgroup.Group
	group.Go(func() error {
		for i := range count {
			if err := g[0].Signal(ctx, 1, 9, payload(0, i, i)); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range count {
		msg, err := g[1].RecvSignal(ctx, 0, 9)
		must(t, err)
		must(t, check(msg, 0, i, i))
		msg.Release()
	}
	must(t, group.Wait())
	g.Close(t)
}

// testCancelRecv gives up receiving: what comes afterwards is not lost.
func testCancelRecv(t *testing.T, gang Make) {
	for _, n := range []int{8, 20 << 10, 300 << 10, 33 << 20} {
		ctx, g := Deadline(t), Join(t, gang(t, 2))
		gone, cancel := context.WithCancel(ctx)
		cancel()
		for _, from := range []int{0, mesh.Any} {
			if _, err := g[1].Recv(gone, from, 4); !errors.Is(err, context.Canceled) {
				t.Fatalf("receive with a context that has ended: %v", err)
			}
		}
		var group errgroup.Group
		group.Go(func() error { return g[0].Send(ctx, 1, 4, payload(0, n, n)) })
		// Some calls give up while the message is on its way.
		for i := 0; ; i++ {
			short, cancel := context.WithTimeout(ctx, time.Duration(i)*20*time.Microsecond)
			msg, err := g[1].Recv(short, 0, 4)
			cancel()
			if err == nil {
				must(t, check(msg, 0, n, n))
				msg.Release()
				break
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		must(t, group.Wait())
		g.Close(t)
	}
}

// testCancelSend gives up sending: the message is not received, the next is.
func testCancelSend(t *testing.T, gang Make) {
	ctx, g := Deadline(t), Join(t, gang(t, 2))
	for i := range 24 {
		n := []int{70 << 10, 2 << 20, 33 << 20}[i%3]
		sent := 0
		short, cancel := context.WithTimeout(ctx, time.Duration(i)*100*time.Microsecond)
		err := g[0].Send(short, 1, 4, payload(0, i, n))
		cancel()
		if err == nil {
			sent = 1
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		var group errgroup.Group
		group.Go(func() error { return g[0].Send(ctx, 1, 4, payload(0, 1000+i, 80<<10)) })
		if sent == 1 {
			must(t, expect(ctx, g[1], 0, 4, i, n))
		}
		must(t, expect(ctx, g[1], 0, 4, 1000+i, 80<<10))
		must(t, group.Wait())
	}
	g.Close(t)
}
