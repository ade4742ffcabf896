package work

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
)

// talk is a coordinator's end of one loop.
type talk struct {
	t     *testing.T
	inbox chan []byte
	said  chan task.Up
	end   chan error
	env   *core.Env
}

// listen starts a loop with slots. It must be called in a synctest bubble, where
// a goroutine that is left behind fails the test.
func listen(t *testing.T, slots int, run RunFunc) *talk { return listenIn(t.Context(), t, slots, run) }

func listenIn(ctx context.Context, t *testing.T, slots int, run RunFunc) *talk {
	k := &talk{t: t, inbox: make(chan []byte), said: make(chan task.Up, 1000), end: make(chan error, 1)}
	k.env = &core.Env{
		CPU:    1000,
		Shared: t.TempDir(),
		Log:    slog.New(slog.DiscardHandler),
		Spec:   core.Spec{Body: json.RawMessage(fmt.Sprintf(`{"input":{"path":"file:///in"},"map":{"use":"words"},"output":{"path":"file:///out"},"tasks":{"slots":%d}}`, slots))},
		Inbox:  k.inbox,
		Send: func(ctx context.Context, msg []byte) error {
			var up task.Up
			if err := task.Decode(msg, &up); err != nil {
				return err
			}
			k.said <- up
			return ctx.Err()
		},
	}
	go func() { k.end <- Loop(ctx, k.env, run) }()
	return k
}

func (k *talk) tell(d task.Down) {
	k.t.Helper()
	msg, err := task.Encode(&d)
	if err != nil {
		k.t.Fatal(err)
	}
	k.inbox <- msg
}

func (k *talk) run(phase task.Phase, index int) {
	k.tell(task.Down{Run: &task.Run{Task: task.ID{Phase: phase, Index: index}}})
}

func (k *talk) cancel(index int) {
	k.tell(task.Down{Cancel: &task.Cancel{Task: task.ID{Phase: task.Map, Index: index}}})
}

// heard is the next message, progress left out.
func (k *talk) heard() task.Up {
	k.t.Helper()
	for {
		select {
		case up := <-k.said:
			if up.Progress == nil {
				return up
			}
		case <-time.After(time.Hour):
			k.t.Fatal("the loop says nothing")
		}
	}
}

func (k *talk) close() {
	k.t.Helper()
	close(k.inbox)
	if err := <-k.end; err != nil {
		k.t.Errorf("the loop ended with %v", err)
	}
}

func finish(_ context.Context, run *task.Run, _ func(task.Progress)) (*task.Done, *task.Failed) {
	return &task.Done{RecordsIn: int64(run.Task.Index)}, nil
}

func untilCancelled(ctx context.Context, _ *task.Run, _ func(task.Progress)) (*task.Done, *task.Failed) {
	<-ctx.Done()
	return nil, nil
}

func TestLoopAnswersEachTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := listen(t, 2, finish)
		for i := range 10 {
			k.run(task.Map, i)
		}
		var got []int
		for range 10 {
			d := k.heard().Done
			if d == nil || d.RecordsIn != int64(d.Task.Index) {
				t.Fatalf("answer %+v", d)
			}
			got = append(got, d.Task.Index)
		}
		slices.Sort(got)
		if !slices.Equal(got, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
			t.Errorf("answered %v", got)
		}
		k.close()
	})
}

func TestLoopRunsAsManyAsSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := make(chan int, 10)
		k := listen(t, 2, func(ctx context.Context, run *task.Run, _ func(task.Progress)) (*task.Done, *task.Failed) {
			started <- run.Task.Index
			<-ctx.Done()
			return nil, nil
		})
		for i := range 5 {
			k.run(task.Map, i)
			synctest.Wait()
		}
		if n := len(started); n != 2 {
			t.Errorf("%d tries run in two slots", n)
		}
		k.cancel(0)
		k.heard()
		synctest.Wait()
		if n := len(started); n != 3 {
			t.Errorf("%d tries were started after one slot was freed, want 3", n)
		}
		k.close()
	})
}

func TestLoopCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := listen(t, 1, untilCancelled)
		k.run(task.Map, 0) // runs
		synctest.Wait()
		k.run(task.Map, 1) // waits
		for _, i := range []int{1, 0} {
			k.cancel(i)
			f := k.heard().Failed
			if f == nil || f.Task.Index != i || f.Err.Kind != core.Cancelled {
				t.Errorf("cancel of %d answered with %+v", i, f)
			}
		}
		k.cancel(7) // never heard of
		k.close()
	})
}

func TestLoopOutlivesPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := listen(t, 1, func(ctx context.Context, run *task.Run, p func(task.Progress)) (*task.Done, *task.Failed) {
			if run.Task.Index == 0 {
				var m map[string]int
				m["x"]++
			}
			return finish(ctx, run, p)
		})
		k.run(task.Map, 0)
		f := k.heard().Failed
		if f == nil || !strings.Contains(f.Err.What, "nil map") || !strings.Contains(f.Err.Detail, "loop_test.go") {
			t.Errorf("a panic became %+v", f)
		}
		k.run(task.Map, 1)
		if k.heard().Done == nil {
			t.Error("the slot of a try that panicked is lost")
		}
		k.close()
	})
}

func TestLoopNoResultIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := listen(t, 1, func(context.Context, *task.Run, func(task.Progress)) (*task.Done, *task.Failed) { return nil, nil })
		k.run(task.Map, 0)
		if f := k.heard().Failed; f == nil || f.Err.Kind != core.Internal {
			t.Errorf("no result became %+v", f)
		}
		k.close()
	})
}

func TestLoopInventory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const finished = 150
		k := listen(t, 2, func(ctx context.Context, run *task.Run, p func(task.Progress)) (*task.Done, *task.Failed) {
			if run.Task.Index == finished {
				p(task.Progress{Bytes: 7})
				return untilCancelled(ctx, run, p)
			}
			return finish(ctx, run, p)
		})
		for i := range finished + 1 {
			k.run(task.Map, i)
		}
		for range finished {
			k.heard()
		}
		synctest.Wait()
		k.tell(task.Down{Query: &task.Query{}})
		seen := map[int]bool{}
		for more := true; more; {
			inv := k.heard().Inventory
			more = inv.More
			for _, d := range inv.Done {
				seen[d.Task.Index] = true
			}
			if !more && (len(inv.Running) != 1 || inv.Running[0].Task.Index != finished || inv.Running[0].Bytes != 7) {
				t.Errorf("running: %+v", inv.Running)
			}
		}
		if len(seen) != finished {
			t.Errorf("the inventory has %d of %d finished tries", len(seen), finished)
		}
		k.close()
	})
}

func TestLoopBooksWhatReduceRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := listen(t, 1, finish)
		x := &shuffle.Index{Version: shuffle.Version, Name: "map-00000.0.x", Total: 1, Partitions: []shuffle.Partition{{Length: 8, Rows: 1, RowHash: 40}}}
		k.tell(task.Down{Run: &task.Run{Task: task.ID{Phase: task.Reduce}, Hi: 1, Sources: []*shuffle.Index{x, x}}})
		if d := k.heard().Done; d == nil || d.Read != 80 {
			t.Errorf("answer %+v", d)
		}
		k.close()
	})
}

// TestLoopTellsAnInventoryInOnePiece: a try that ends while the inventory that
// lists it as running is told must answer after it. A coordinator that heard
// the answer first would wait for a try that is over.
func TestLoopTellsAnInventoryInOnePiece(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const last = inventoryChunk + 1
		fail := make(chan bool)
		k := listen(t, 2, func(ctx context.Context, run *task.Run, p func(task.Progress)) (*task.Done, *task.Failed) {
			if run.Task.Index == last {
				<-fail
				return nil, &task.Failed{Err: core.Error{Kind: core.Failed, What: "no"}}
			}
			return finish(ctx, run, p)
		})
		send := k.env.Send
		k.env.Send = func(ctx context.Context, msg []byte) error {
			var up task.Up
			if err := task.Decode(msg, &up); err != nil {
				return err
			}
			if up.Inventory != nil && up.Inventory.More {
				close(fail)
				synctest.Wait()
			}
			return send(ctx, msg)
		}
		for i := range last {
			k.run(task.Map, i)
			k.heard()
		}
		k.run(task.Map, last)
		synctest.Wait()
		k.tell(task.Down{Query: &task.Query{}})
		if up := k.heard(); up.Inventory == nil || !up.Inventory.More {
			t.Fatalf("first comes %+v", up)
		}
		if up := k.heard(); up.Inventory == nil || len(up.Inventory.Running) != 1 {
			t.Fatalf("then comes %+v, want the rest of the inventory", up)
		}
		if up := k.heard(); up.Failed == nil || up.Failed.Task.Index != last {
			t.Fatalf("last comes %+v, want the failure", up)
		}
		k.close()
	})
}

// TestLoopBlamesNoTryForItsEnd: the end of an executor is told by the host, and
// counts less against a task than a failure.
func TestLoopBlamesNoTryForItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		k := listenIn(ctx, t, 1, untilCancelled)
		k.run(task.Map, 0)
		synctest.Wait()
		end()
		if err := <-k.end; err != nil {
			t.Errorf("the loop ended with %v", err)
		}
		if n := len(k.said); n > 0 {
			t.Errorf("the loop said %+v at its end", (<-k.said).Failed)
		}
	})
}

func TestLoopForgetsWithinTheSharedFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := listen(t, 1, finish)
		inside := filepath.Join(k.env.Shared, "map-00000.0.x")
		outside := filepath.Join(filepath.Dir(k.env.Shared), "outside")
		for _, f := range []string{inside, outside} {
			if err := os.WriteFile(f, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		k.tell(task.Down{Forget: []string{"../outside", outside, "missing", "map-00000.0.x"}})
		k.tell(task.Down{Query: &task.Query{}}) // answered after the message before
		k.heard()
		if _, err := os.Stat(inside); !os.IsNotExist(err) {
			t.Errorf("the exchange file is still there: %v", err)
		}
		if _, err := os.Stat(outside); err != nil {
			t.Errorf("a file outside the shared folder is gone: %v", err)
		}
		k.close()
	})
}

func TestLoopTellsTheLatestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := listen(t, 1, func(ctx context.Context, run *task.Run, p func(task.Progress)) (*task.Done, *task.Failed) {
			for n := range int64(10000) {
				p(task.Progress{Bytes: n + 1})
			}
			return untilCancelled(ctx, run, p)
		})
		k.run(task.Map, 3)
		time.Sleep(10 * time.Second)
		if n := len(k.said); n != 1 {
			t.Fatalf("ten thousand calls became %d messages", n)
		}
		p := (<-k.said).Progress
		if p.Bytes != 10000 || p.Task != (task.ID{Phase: task.Map, Index: 3}) {
			t.Errorf("told %+v", p)
		}
		k.close()
	})
}

func TestLoopEndsWithATryThatDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan bool)
		k := listen(t, 1, func(context.Context, *task.Run, func(task.Progress)) (*task.Done, *task.Failed) {
			<-free
			return nil, nil
		})
		k.run(task.Map, 0)
		synctest.Wait()
		k.cancel(0)
		err := <-k.end
		if core.KindOf(err) != core.Failed || !strings.Contains(err.Error(), "map-00000") {
			t.Errorf("the loop ended with %v", err)
		}
		close(free)
	})
}

func TestLoopRefusesGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := listen(t, 1, finish)
		k.inbox <- []byte("garbage")
		if err := <-k.end; core.KindOf(err) != core.Internal {
			t.Errorf("garbage ended the loop with %v", err)
		}
	})
}
