package schedule

import (
	"context"
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/queue"
)

// round is one pass over 320,000 gangs that wait in 10 queues, once with four
// shapes, as Armada's benchmark has, and once with a walltime for each gang, so
// that no two are alike. The cluster takes nobody until a node that all wait
// for comes up: that event makes the round.
func round(ctx context.Context, c Config, r *report) error {
	for _, v := range []struct {
		what     string
		walltime func(i int) int64
	}{
		{"4 shapes", func(int) int64 { return 3600_000 }},
		{"4 shapes, all of another walltime", func(i int) int64 { return 3600_000 + int64(i) }},
		{"4 shapes, no walltimes", func(int) int64 { return 0 }},
	} {
		if err := roundOf(ctx, c, r, v.what, v.walltime); err != nil {
			return err
		}
	}
	return nil
}

var shapes = []core.Resources{{CPU: 1000, Memory: 4 << 30}, {CPU: 2000, Memory: 16 << 30}, {CPU: 4000, Memory: 8 << 30}, {CPU: 16_000, Memory: 32 << 30}}

func tenQueues() queue.Config {
	var c queue.Config
	for i := range 10 {
		c.Queues = append(c.Queues, queue.Queue{Name: fmt.Sprintf("q%d", i), Weight: int64(1 + i%3)})
	}
	return c
}

func roundOf(ctx context.Context, c Config, r *report, what string, walltime func(int) int64) error {
	nodes, pending := c.part(1000, 20), c.part(320_000, 2000)
	l := plain(nodes)
	l.each = core.Resources{CPU: 32_000, Memory: 256 << 30}
	k := newKernel(gang.Config{Queues: tenQueues()}, l)
	whole, j := job("whole", 0)
	if err := k.run(gang.Request{Gang: whole, Job: j, Size: nodes, Each: l.each, Queue: "q0", Walltime: 3600_000}); err != nil {
		return err
	}
	took := measure(func() {
		for i := range pending {
			id, j := job("wait", i)
			k.Step(gang.Submit{Now: 2, Request: gang.Request{Gang: id, Job: j, Size: 1, Each: shapes[i%4], Queue: fmt.Sprintf("q%d", i/4%10), Walltime: walltime(i)}})
			if i%4096 == 0 && ctx.Err() != nil {
				return
			}
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	r.rate(fmt.Sprintf("%d submits that wait, %s", pending, what), "submits/s", pending, took, 0)
	k.rested() // a round comes when the passes before it have rested
	var filling, full times
	var out gang.Result
	filling.of(func() { out = k.release(whole) })
	if len(out.Actions) == 0 {
		return fmt.Errorf("nobody was granted anything")
	}
	r.add(Row{What: "a round over all, " + what, Figure: millis(filling.cpu[0]), Unit: "ms", Goal: 200,
		Note: fmt.Sprintf("CPU; wall %s ms; %d grants", amount(millis(filling.wall[0])), len(out.Actions))})
	for range 20 {
		k.rested()
		full.of(func() { k.Step(gang.NodeDrain{Now: k.now, ID: "n000000"}) }) // it was not draining
	}
	r.latency("a round that grants nothing, "+what, &full, 200)
	return nil
}
