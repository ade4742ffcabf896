package coordinate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/coordinator/coordinatortest"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

const (
	gangSize = 3
	barriers = 3
)

// hand is a worker as the machine sees it, whose two ranks meet in barriers, each
// time with a key of this executor, and end well once they have seen everybody's.
type hand struct {
	env   *core.Env
	tell  func(run int, seen []string)
	run   int
	fence *task.Fence
	last  *task.Fenced
	ended []task.Ended
}

func (h *hand) work(ctx context.Context) error {
	for {
		var msg []byte
		select {
		case <-ctx.Done():
			return nil
		case msg = <-h.env.Inbox:
		}
		var d task.Down
		if err := task.Decode(msg, &d); err != nil {
			return err
		}
		switch {
		case d.Query:
			h.send(ctx, task.Up{Holds: &task.Holds{Node: "here", Run: h.run, Fence: h.fence, Passed: h.last, Ended: h.ended}})
		case d.Begin != nil && d.Begin.Run > h.run:
			h.run, h.last, h.ended = d.Begin.Run, nil, nil
			h.enter(ctx, 1)
		case d.Fenced != nil && h.fence != nil && d.Fenced.Run == h.run && d.Fenced.N == h.fence.N:
			h.fence, h.last = nil, d.Fenced
			h.saw(ctx, d.Fenced)
		case d.Stop != nil && d.Stop.Run == h.run && h.ended == nil:
			h.fence = nil
			h.end(ctx, true)
		}
	}
}

func (h *hand) enter(ctx context.Context, n int) {
	h.fence = &task.Fence{Run: h.run, N: n, Put: []pmi.Pair{{Key: fmt.Sprintf("%d.%d", n, h.env.Rank.Rank), Value: "x"}}}
	h.send(ctx, task.Up{Fence: h.fence})
}

func (h *hand) saw(ctx context.Context, f *task.Fenced) {
	var seen []string
	for _, p := range f.All {
		seen = append(seen, p.Key)
	}
	slices.Sort(seen)
	h.tell(h.run, seen)
	if f.N < barriers {
		h.enter(ctx, f.N+1)
		return
	}
	h.end(ctx, false)
}

func (h *hand) end(ctx context.Context, stopped bool) {
	for n := range 2 {
		e := task.Ended{Run: h.run, Rank: 2*h.env.Rank.Rank + n, Started: true, Finalized: !stopped, Stopped: stopped}
		h.ended = append(h.ended, e)
		h.send(ctx, task.Up{Ended: &e})
	}
}

func (h *hand) send(ctx context.Context, up task.Up) {
	if b, err := task.Encode(&up); err == nil {
		_ = h.env.Send(ctx, b)
	}
}

// TestGang holds laws C1 to C3 against whatever may die or come late: the job ends
// well, and nobody left a barrier without the keys of all.
func TestGang(t *testing.T) {
	body, err := json.Marshal(map[string]any{"command": []string{"x"}, "ranks": 2 * gangSize, "failure": "restart", "restarts": 1000})
	if err != nil {
		t.Fatal(err)
	}
	coordinatortest.Run(t, func(t *testing.T) coordinatortest.Subject {
		b, err := spec.Parse(body)
		if err != nil {
			t.Fatal(err)
		}
		return coordinatortest.Subject{
			Size: gangSize, Body: body,
			Coordinate: func(ctx context.Context, w *coordinatortest.World, g coordinatortest.Generation) (any, error) {
				c := Config{Job: "job", Epoch: 1, Body: b, FirstRun: int(g.Number-1) << 20,
					Gang: core.GangAsk{Name: "main", Gang: core.Gang{Size: gangSize, CPU: 1000, Restart: "member"}}}
				_, err := Run(ctx, Attempt{Config: c, Saved: g.Saved, Log: discard}, g.Host)
				return "all met", err
			},
			Work: func(ctx context.Context, env *core.Env) error {
				h := &hand{env: env, tell: func(run int, seen []string) {
					if len(seen) != gangSize {
						t.Errorf("executor %d left a barrier of run %d with %v", env.Rank.Rank, run, seen)
					}
				}}
				return h.work(ctx)
			},
		}
	}, 300)
}
