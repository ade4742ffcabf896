package mesh_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/capstan-run/capstan/shuffle/mesh"
	"github.com/capstan-run/capstan/shuffle/mesh/meshtest"
)

var kinds = map[string]meshtest.Make{"process": inProcess, "shared": sameHost, "network": network}

func each(t *testing.T, f func(ctx context.Context, t *testing.T, g meshtest.Gang)) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			g := meshtest.Join(t, kind(t, 2))
			f(meshtest.Deadline(t), t, g)
			g.Close(t)
		})
	}
}

func take(ctx context.Context, t *testing.T, m *mesh.Mesh, p *mesh.Posted) *mesh.Message {
	t.Helper()
	if _, err := m.Await(ctx, p); err != nil {
		t.Fatal(err)
	}
	msg, err := p.Take()
	must(t, err)
	return msg
}

// TestMatch receives under some tags what came under several, in order.
func TestMatch(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, g meshtest.Gang) {
		sent := []mesh.Tag{0x105, 0x203, 0x101, 0x202, 0x105}
		for i, tag := range sent {
			must(t, g[0].Send(ctx, 1, tag, []byte{byte(i)}))
		}
		var got []byte
		for _, mask := range []mesh.Tag{0xff00, mesh.WholeTag, 0xff00} {
			msg, err := g[1].RecvMatch(ctx, 0, 0x105, mask)
			must(t, err)
			got = append(got, msg.Bytes()...)
			msg.Release()
		}
		if !slices.Equal(got, []byte{0, 4, 2}) {
			t.Errorf("under 0x1xx, 0x105, 0x1xx came %v, want 0, 4, 2", got)
		}
		if msg, err := g[1].TryRecv(ctx, 0, 0x100, 0xff00); msg != nil || err != nil {
			t.Errorf("there is nothing under 0x1xx any more: %v, %v", msg, err)
		}
		msg, err := g[1].RecvMatch(ctx, mesh.Any, 0x200, 0xff00)
		must(t, err)
		g[1].Return(msg)
		for _, want := range []byte{1, 3} {
			msg, err := g[1].RecvMatch(ctx, mesh.Any, 0x200, 0xff00)
			must(t, err)
			if msg.Bytes()[0] != want {
				t.Errorf("under 0x2xx came %d, want %d", msg.Bytes()[0], want)
			}
			msg.Release()
		}
	})
}

// TestPosted: what is posted first takes what comes first, small and large.
func TestPosted(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, g meshtest.Gang) {
		for _, n := range []int{8, 40 << 10, 3 << 20, 40 << 20} {
			var posted []*mesh.Posted
			for i, tag := range []mesh.Tag{7, 0, 7} {
				mask := mesh.WholeTag
				if i == 1 {
					mask = 0
				}
				p, err := g[1].Post(0, tag, mask)
				must(t, err)
				posted = append(posted, p)
			}
			// A large message leaves only while its receiver looks.
			looked := make(chan error, 1)
			go func() {
				_, err := g[1].Await(ctx, posted[2])
				looked <- err
			}()
			for i := range byte(3) {
				data := make([]byte, n)
				data[n-1] = i
				must(t, g[0].Send(ctx, 1, 7, data))
			}
			must(t, <-looked)
			for i, p := range posted {
				msg := take(ctx, t, g[1], p)
				if b := msg.Bytes(); len(b) != n || b[n-1] != byte(i) {
					t.Errorf("the message %d of %d bytes: %d bytes, number %d", i, n, len(b), b[len(b)-1])
				}
				msg.Release()
			}
		}
	})
}

// TestPostedServesOthers: a rank that waits for something else lets what it
// posted be fetched, or its sender could not come to what it waits for.
func TestPostedServesOthers(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, g meshtest.Gang) {
		p, err := g[1].Post(0, 1, mesh.WholeTag)
		must(t, err)
		sent := make(chan error, 1)
		go func() {
			err := g[0].Send(ctx, 1, 1, make([]byte, 40<<20))
			sent <- errors.Join(err, g[0].Send(ctx, 1, 2, nil))
		}()
		msg, err := g[1].Recv(ctx, 0, 2)
		must(t, err)
		msg.Release()
		must(t, <-sent)
		take(ctx, t, g[1], p).Release()
	})
}

func TestPostedEnds(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, g meshtest.Gang) {
		p, err := g[1].Post(0, 1, mesh.WholeTag)
		must(t, err)
		if p.Done() {
			t.Error("done before anything came")
		}
		short, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := g[1].Await(short, p); !errors.Is(err, context.Canceled) {
			t.Errorf("await with an ended context: %v", err)
		}
		if !p.Cancel() || !p.Done() {
			t.Error("it could not be cancelled")
		}
		if _, err := p.Take(); !errors.Is(err, context.Canceled) {
			t.Errorf("what was cancelled: %v", err)
		}
		p, err = g[1].Post(0, 1, mesh.WholeTag)
		must(t, err)
		g[0].Abort()
		if i, err := g[1].Await(ctx, p); i != 0 || err != nil {
			t.Fatal(i, err)
		}
		if _, err := p.Take(); !errors.Is(err, mesh.ErrLost) {
			t.Errorf("after the loss of its sender: %v", err)
		}
	})
}

func waiting(m *mesh.Mesh) []mesh.Waiting {
	list, _ := m.Waiting()
	return list
}

// TestWaiting tells who sleeps for what.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := meshtest.Join(t, inProcess(t, 2))
		ctx := context.Background()
		done := make(chan error, 3)
		go func() {
			msg, err := g[0].Recv(ctx, 1, 5)
			if err == nil {
				msg.Release()
			}
			done <- err
		}()
		go func() { done <- g[1].Send(ctx, 0, 6, make([]byte, 1<<20)) }()
		p, err := g[0].Post(1, 9, 0xff)
		must(t, err)
		synctest.Wait()
		if w, want := waiting(g[0]), []mesh.Waiting{{Rank: 1, Tag: 5, Mask: mesh.WholeTag}}; !slices.Equal(w, want) {
			t.Errorf("rank 0 waits %+v, want %+v", w, want)
		}
		if w, want := waiting(g[1]), []mesh.Waiting{{Sending: true, Rank: 0, Tag: 6, Mask: mesh.WholeTag}}; !slices.Equal(w, want) {
			t.Errorf("rank 1 waits %+v, want %+v", w, want)
		}
		go func() {
			_, err := g[0].Await(ctx, p)
			done <- err
		}()
		synctest.Wait()
		if w := waiting(g[0]); !slices.Contains(w, mesh.Waiting{Rank: 1, Tag: 9, Mask: 0xff}) {
			t.Errorf("rank 0 waits %+v, and not for what it posted", w)
		}
		for _, tag := range []mesh.Tag{5, 0x409} {
			must(t, g[1].Send(ctx, 0, tag, nil))
		}
		msg, err := g[0].Recv(ctx, 1, 6)
		must(t, err)
		msg.Release()
		for range 3 {
			must(t, <-done)
		}
		take(ctx, t, g[0], p).Release()
		g.Close(t)
	})
}

// TestOffer: messages keep their places whichever way they leave, and one that
// was offered is not sent before it is asked for.
func TestOffer(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, g meshtest.Gang) {
		for _, n := range []int{8, 40 << 10, 40 << 20} {
			data := make([]byte, n)
			data[0] = 1
			finish, err := g[0].Offer(ctx, 1, 4, data)
			must(t, err)
			sent := make(chan error, 1)
			promise := g[0].Promise()
			go func() {
				err := finish(ctx)
				promise.Keep(err)
				sent <- err
			}()
			must(t, g[0].Send(ctx, 1, 4, []byte{2}))
			if promise.Done() {
				t.Errorf("%d bytes were sent before they were asked for", n)
			}
			for _, want := range []byte{1, 2} {
				msg, err := g[1].RecvMatch(ctx, 0, 4, mesh.WholeTag)
				must(t, err)
				if msg.Bytes()[0] != want {
					t.Errorf("of %d bytes, number %d came when %d was due", n, msg.Bytes()[0], want)
				}
				msg.Release()
			}
			if i, err := g[0].Await(ctx, promise); i != 0 || err != nil {
				t.Error(i, err)
			}
			must(t, <-sent)
		}
	})
}

// TestTrySend sends until nothing more can go without waiting.
func TestTrySend(t *testing.T) {
	for name, kind := range map[string]meshtest.Make{"process": inProcess, "shared": sameHost} {
		for _, n := range []int{1000, 20 << 10, 60 << 10} {
			t.Run(name, func(t *testing.T) {
				ctx, g := meshtest.Deadline(t), meshtest.Join(t, kind(t, 2))
				sent := 0
				for ok := true; ok; sent++ {
					var err error
					ok, err = g[0].TrySend(1, 3, []byte{byte(sent)}, make([]byte, n))
					must(t, err)
				}
				if sent--; sent < 4 || sent > 100_000 {
					t.Errorf("%d messages of %d bytes went", sent, n)
				}
				for i := range sent {
					msg, err := g[1].Recv(ctx, 0, 3)
					must(t, err)
					if b := msg.Bytes(); len(b) != n+1 || b[0] != byte(i) {
						t.Fatalf("%d of %d: %d bytes, %d", i, sent, len(b), b[0])
					}
					msg.Release()
				}
				g.Close(t)
			})
		}
	}
}
