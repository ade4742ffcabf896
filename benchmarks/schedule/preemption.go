package schedule

import (
	"context"
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/queue"
)

// preemption is a gang that needs most of a cluster that less urgent ones fill.
// It times the submit, which names who has to give way, and checks that once
// they are gone the gang starts and that none of them went for nothing.
func preemption(ctx context.Context, c Config, r *report) error {
	nodes := c.part(2000, 40)
	var t times
	victims := 0
	for i := range c.part(12, 3) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := preemptOnce(i, nodes, &t)
		if err != nil {
			return err
		}
		victims += n
	}
	r.latency(fmt.Sprintf("%d nodes, %d of %d gangs give way on average", nodes, victims/len(t.cpu), nodes*2/5), &t, 50)
	return nil
}

func preemptOnce(turn, nodes int, t *times) (int, error) {
	l := plain(nodes)
	k := newKernel(gang.Config{Queues: queue.Config{Queues: []queue.Queue{{Name: "default", PreemptLower: true}}}, Evictions: nodes}, l)
	// 800 gangs of two nodes and a half each, of which some are dearer.
	for i := range nodes * 2 / 5 {
		id, j := job("victim", i)
		k.now += int64(1 + (i*7919+turn)%1000)
		q := gang.Request{Gang: id, Job: j, Size: 20, Each: core.Resources{CPU: 7800, Memory: 1 << 30}, Priority: (i*31 + turn) % 7, Grace: 30_000}
		if err := k.run(q); err != nil {
			return 0, err
		}
	}
	id, j := job("urgent", 0)
	var out gang.Result
	t.of(func() {
		out = k.Step(gang.Submit{Now: k.now, Request: gang.Request{Gang: id, Job: j, Size: nodes * 8 * 9 / 10,
			Each: core.Resources{CPU: 7800, Memory: 1 << 30}, Priority: 100, Placement: core.PlacementAsk{Pack: "zone"}}})
	})
	var gone []gang.ID
	for _, a := range out.Actions {
		if g, ok := a.(gang.GiveWay); ok {
			gone = append(gone, g.Gang)
		}
	}
	return len(gone), needed(k, id, gone)
}

// needed lets those go who were told to, and checks that the gang starts with
// the last of them and not before: each made room that it needed.
func needed(k *kernel, id gang.ID, gone []gang.ID) error {
	if len(gone) == 0 {
		return fmt.Errorf("nobody gave way to %s: %v", id, k.Why(id))
	}
	for i, v := range slices.Backward(gone) {
		k.now++
		_, ok := granted(k.release(v), id)
		if ok && i > 0 {
			return fmt.Errorf("%d of %d gave way for nothing", i, len(gone))
		}
		if !ok && i == 0 {
			return fmt.Errorf("%s did not start after %d gave way: %v", id, len(gone), k.Why(id))
		}
	}
	return nil
}
