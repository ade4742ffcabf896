package schedule

import (
	"context"
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// answers is what asking costs: why a gang waits, and what would be if a job came
// (`plan`) or things were otherwise (`what-if`), each against the round that
// follows when a gang of ten nodes has ended.
func answers(ctx context.Context, c Config, r *report) error {
	for _, v := range []struct{ nodes, waiting int }{{1000, 10_000}, {1000, 320_000}, {10_000, 10_000}} {
		if err := answersOf(ctx, c, r, c.part(v.nodes, 20), c.part(v.waiting, 200)); err != nil {
			return err
		}
	}
	return nil
}

func answersOf(ctx context.Context, c Config, r *report, nodes, waiting int) error {
	k, err := fullCluster(ctx, nodes, waiting)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d nodes, %d waiting: ", nodes, waiting)
	asked := min(20, nodes/20)
	var rounds, middle, last, copied, planned times
	for i := range asked {
		k.rested()
		busy, _ := job("busy", i)
		rounds.of(func() { k.release(busy) })
		at, _ := job("wait", waiting/2+i)
		middle.of(func() { k.Why(at) })
		at, _ = job("wait", waiting-1-i)
		last.of(func() { k.Why(at) })
		var copy *gang.Scheduler
		copied.of(func() { copy = k.CloneFirst(10_000) })
		id, j := job("plan", i)
		planned.of(func() {
			copy.Step(gang.Submit{Now: k.now + 1, Request: gang.Request{Gang: id, Job: j, Size: 4, Each: shapes[0], Queue: "q0", Walltime: 60_000}})
			copy.Why(id)
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	r.latency(what+"a round", &rounds, 0)
	limit := rounds.cpu.summary().p99
	r.latency(what+"why, from the middle of the line", &middle, limit)
	r.latency(what+"why, of the last", &last, limit)
	r.latency(what+"plan and what-if: the copy", &copied, limit)
	r.latency(what+"plan and what-if: what then happens", &planned, limit)
	return nil
}

// fullCluster is nodes that are all taken, and gangs of four shapes in ten queues
// that wait.
func fullCluster(ctx context.Context, nodes, waiting int) (*kernel, error) {
	l := plain(nodes)
	l.each = core.Resources{CPU: 32_000, Memory: 256 << 30}
	k := newKernel(gang.Config{Queues: tenQueues()}, l)
	for i := range nodes / 10 {
		id, j := job("busy", i)
		q := gang.Request{Gang: id, Job: j, Size: 10, Each: l.each, Queue: "q0", Walltime: 3600_000 + int64(i)*1000}
		if err := k.run(q); err != nil {
			return nil, err
		}
	}
	for i := range waiting {
		id, j := job("wait", i)
		k.Step(gang.Submit{Now: 2, Request: gang.Request{Gang: id, Job: j, Size: 1, Each: shapes[i%4], Queue: fmt.Sprintf("q%d", i/4%10), Walltime: 3600_000}})
		if i%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return k, nil
}
