package schedule

import (
	"context"
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// decisions lets gangs live: submit, grant, started, release, with some
// thousand running all the while, as in Nomad's million containers on 5,000
// nodes. A decision is one grant; its share of all that the kernel does for the
// gang is in the rate.
func decisions(ctx context.Context, c Config, r *report) error {
	nodes := c.part(5000, 50)
	for _, size := range []int{1, 4} {
		k := newKernel(gang.Config{}, plain(nodes))
		if err := lives(ctx, k, size, 4*nodes/size, "fill", 0); err != nil { // fills the cluster
			return err
		}
		n := c.part(200_000, 2000) / size
		var err error
		took := measure(func() { err = lives(ctx, k, size, n, "life", 4*nodes/size) })
		if err != nil {
			return err
		}
		r.rate(fmt.Sprintf("gangs of %d on %d nodes", size, nodes), "grants/s", n, took, 100_000)
	}
	return arrays(ctx, c, r)
}

// rate adds how many things were done in a second of CPU.
func (r *report) rate(what, unit string, n int, took cost, goal float64) {
	r.add(Row{What: what, Figure: float64(n) / took.cpu.Seconds(), Unit: unit, Goal: goal, More: true,
		Note: fmt.Sprintf("%d in %.2f s of CPU, %.2f s of wall", n, took.cpu.Seconds(), took.wall.Seconds())})
}

// lives starts n gangs of a sort; with keep each beyond so many ends the oldest.
func lives(ctx context.Context, k *kernel, size, n int, sort string, keep int) error {
	live := make([]gang.ID, max(1, keep)) // the last so many, in turn
	for i := range n {
		id, j := job(sort, i)
		k.now++
		g, ok := k.submit(gang.Request{Gang: id, Job: j, Size: size, Each: core.Resources{CPU: core.MilliCPU(500 + 250*(i%4)), Memory: 1 << 30}, Walltime: 3600_000})
		if !ok {
			return fmt.Errorf("gang %s found no room", id)
		}
		k.Step(gang.Started{Now: k.now, Gang: id, Lease: g.Lease})
		if keep > 0 && i >= keep {
			k.release(live[i%keep])
		}
		live[i%len(live)] = id
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// arrays is the same with arrays of 1,000 elements, as Nomad's million
// containers were 1,000 jobs of 1,000 tasks.
func arrays(ctx context.Context, c Config, r *report) error {
	nodes, elements := c.part(5000, 50), c.part(1000, 20)
	k := newKernel(gang.Config{}, plain(nodes))
	n := 0
	var err error
	took := measure(func() {
		for i := range c.part(100, 10) {
			var m int
			if m, err = array(k, i, elements); err != nil || ctx.Err() != nil {
				return
			}
			n += m
		}
	})
	if err != nil {
		return err
	}
	r.rate(fmt.Sprintf("arrays of %d on %d nodes", elements, nodes), "grants/s", n, took, 100_000)
	return ctx.Err()
}

// array runs one to its end.
func array(k *kernel, i, elements int) (int, error) {
	id, j := job("array", i)
	k.now++
	out := k.Step(gang.Submit{Now: k.now, Request: gang.Request{
		Gang: id, Job: j, Size: 1, Each: core.Resources{CPU: 1000, Memory: 1 << 30}, Walltime: 3600_000,
		Array: &core.Array{Ranges: []core.ArrayRange{{First: 0, Last: int64(elements - 1), Step: 1}}},
	}})
	if len(out.Actions) != elements {
		return 0, fmt.Errorf("%d of %d elements of %s were granted", len(out.Actions), elements, id)
	}
	for _, a := range out.Actions {
		g := a.(gang.Grant)
		k.Step(gang.Started{Now: k.now, Gang: g.Gang, Lease: g.Lease})
	}
	for _, a := range out.Actions {
		k.Step(gang.Release{Now: k.now, Gang: a.(gang.Grant).Gang, Ended: gang.OK})
	}
	return elements, nil
}
