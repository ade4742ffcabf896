package schedule

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// restart takes over 150,000 tasks on 5,000 nodes from an earlier life: from
// the gangs themselves (Adopt), and from the log of that life. It ends with the
// first grant.
func restart(ctx context.Context, c Config, r *report) error {
	l := plain(c.part(5000, 50))
	tasks := l.nodes * 30
	was, log, err := earlier(ctx, l, tasks)
	if err != nil {
		return err
	}
	running := was.Snapshot().Gangs

	var k *kernel
	took := measure(func() { k, err = adoptAll(l, was.now, running) })
	if err != nil {
		return err
	}
	title := fmt.Sprintf("%d tasks on %d nodes ", tasks, l.nodes)
	r.add(Row{What: title + "adopted, first grant", Figure: took.cpu.Seconds(), Unit: "s", Goal: 5, Note: fmt.Sprintf("CPU; wall %.2f s", took.wall.Seconds())})
	if err := same(k, running); err != nil {
		return err
	}

	took = measure(func() { k, err = replayed(log) })
	if err != nil {
		return err
	}
	r.add(Row{What: title + fmt.Sprintf("replayed from a log of %d MB, first grant", len(log)>>20), Figure: took.cpu.Seconds(), Unit: "s", Goal: 5,
		Note: fmt.Sprintf("CPU; wall %.2f s", took.wall.Seconds())})
	if was.String() != k.String() {
		return fmt.Errorf("the replay ended in another state")
	}
	return nil
}

// earlier is a life that filled a cluster with gangs of three tasks, and its log.
func earlier(ctx context.Context, l layout, tasks int) (*kernel, []byte, error) {
	log, err := gang.AppendConfig(nil, gang.Config{})
	if err != nil {
		return nil, nil, err
	}
	k := &kernel{gang.New(gang.Config{}), 1}
	step := func(e gang.Event) gang.Result {
		if err == nil {
			log, err = gang.AppendEvent(log, e)
		}
		return k.Step(e)
	}
	for _, e := range l.events() {
		step(e)
	}
	for i := range tasks / 3 {
		id, j := job("task", i)
		k.now++
		g, ok := granted(step(gang.Submit{Now: k.now, Request: gang.Request{Gang: id, Job: j, Size: 3, Each: core.Resources{CPU: 2000, Memory: 4 << 30},
			Walltime: 24 * 3600_000}}), id)
		if !ok {
			return nil, nil, fmt.Errorf("gang %s found no room", id)
		}
		step(gang.Started{Now: k.now, Gang: id, Lease: g.Lease})
		if i%4096 == 0 && ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
	}
	// The first decision of the next life.
	id, j := job("next", 0)
	step(gang.Submit{Now: k.now, Request: gang.Request{Gang: id, Job: j, Size: 1, Each: core.Resources{CPU: 1000}}})
	return k, log, err
}

// adoptAll is a new life that finds the running gangs again and grants one.
func adoptAll(l layout, now int64, running []gang.GangView) (*kernel, error) {
	k := newKernel(gang.Config{}, l)
	k.now = now
	for _, g := range running {
		if g.State == "running" {
			k.Step(gang.Adopt{Now: now, Request: g.Request, Lease: g.Lease, Placement: g.Nodes, Since: g.Since})
		}
	}
	id, j := job("next", 0)
	if _, ok := k.submit(gang.Request{Gang: id, Job: j, Size: 1, Each: core.Resources{CPU: 1000}}); !ok {
		return nil, fmt.Errorf("the first gang found no room: %v", k.Why(id))
	}
	return k, nil
}

// same checks that no task was lost: every gang holds what it held.
func same(is *kernel, running []gang.GangView) error {
	for _, g := range running {
		v, ok := is.Gang(g.Gang)
		if !ok || g.State == "running" && !slices.Equal(v.Nodes, g.Nodes) {
			return fmt.Errorf("gang %s was lost", g.Gang)
		}
	}
	return nil
}

// replayed is the scheduler that a log ends with.
func replayed(log []byte) (*kernel, error) {
	k := &kernel{}
	for line := range bytes.Lines(log) {
		e, c, err := gang.ParseEvent(line)
		switch {
		case err != nil:
			return nil, err
		case c != nil:
			k.Scheduler = gang.New(*c)
		default:
			k.Step(e)
		}
	}
	return k, nil
}
