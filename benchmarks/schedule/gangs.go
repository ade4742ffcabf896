package schedule

import (
	"context"
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// gangs places large gangs with every predicate on: labels, generic resources,
// ranks per host, keeping apart from other jobs, and in one case ports, on
// clusters that are 60 % busy.
func gangs(ctx context.Context, c Config, r *report) error {
	for _, v := range []struct {
		nodes, zone, size, steps int
		goal                     float64
	}{
		{2000, 1000, 200, 20, 3},
		{10_000, 2500, 1000, 200, 3},
		{100_000, 25_000, 10_000, 30, 20},
	} {
		l := plain(c.part(v.nodes, 200))
		l.zone = min(v.zone, l.nodes/2)
		l.generic = map[string]int64{"gpu": 8}
		t := &gangTest{size: c.part(v.size, 20), steps: c.part(v.steps, 5), layout: l, goal: v.goal, report: r}
		if err := t.all(ctx); err != nil {
			return err
		}
	}
	return nil
}

type gangTest struct {
	*report
	layout layout
	kernel *kernel
	size   int
	steps  int
	goal   float64
	ending int  // the busy gang that ends next
	full   bool // whoever ends is not followed by another
}

func (t *gangTest) all(ctx context.Context) error {
	title := fmt.Sprintf("gang of %d on %d nodes, ", t.size, t.layout.nodes)
	t.kernel = newKernel(gang.Config{}, t.layout)
	if err := t.load(); err != nil {
		return err
	}
	for _, v := range []struct {
		what  string
		adapt func(*gang.Request)
	}{
		{"required in a zone, by fours on a host", t.byFours},
		{"required in a zone, a port on each host", t.withPorts},
	} {
		if err := t.grants(ctx, title+v.what, v.adapt); err != nil {
			return err
		}
	}
	if err := t.refusals(ctx, title+"no room"); err != nil {
		return err
	}
	if t.layout.nodes > 2000 {
		return nil // one plan for those that wait takes too long there to be sampled
	}
	if err := t.crowd(); err != nil {
		return err
	}
	if err := t.grants(ctx, title+"500 others waiting", t.byFours); err != nil {
		return err
	}
	return nil
}

// load makes six of ten CPUs busy: gangs of one rack each, a few of which
// others keep apart from.
func (t *gangTest) load() error {
	for i := range t.layout.nodes / t.layout.rack {
		if err := t.kernel.run(t.busy(i)); err != nil {
			return err
		}
	}
	return nil
}

func (t *gangTest) busy(i int) gang.Request {
	id, j := job("busy", i)
	app := "quiet"
	if i%10 == 0 {
		app = "noisy"
	}
	return gang.Request{
		Gang: id, Job: j, Size: t.layout.rack * 38, Each: core.Resources{CPU: 1000, Memory: 2 << 30}, Labels: map[string]string{"app": app},
		Placement: core.PlacementAsk{Pack: "rack", PerHost: 38}, Walltime: 3600_000 * int64(1+i%24),
	}
}

// request is a gang that asks for something else each time.
func (t *gangTest) request(i int) gang.Request {
	id, j := job("big", i)
	return gang.Request{
		Gang: id, Job: j, Size: t.size, Each: core.Resources{CPU: core.MilliCPU(500 + 10*(i%8)), Memory: 1 << 30},
		Generic: map[string]int64{"gpu": 1}, Walltime: 3600_000, Labels: map[string]string{"app": "big"},
		Constraints: []core.Constraint{
			{Attribute: "os", Operator: "LIKE", Value: "linux|bsd"},
			{Attribute: "app", Operator: "APART", Value: "noisy"},
		},
	}
}

func (t *gangTest) byFours(q *gang.Request) {
	q.Placement = core.PlacementAsk{Pack: "zone", PerHost: 4, Slice: 4, SliceLevel: "host"}
}

func (t *gangTest) withPorts(q *gang.Request) {
	q.Placement = core.PlacementAsk{Pack: "zone"}
	q.Ports = []int{7000}
}

// grants times submits that are granted. Between them a busy gang ends and
// begins again, so that the cluster is never the same.
func (t *gangTest) grants(ctx context.Context, what string, adapt func(*gang.Request)) error {
	var submits, ends times
	k := t.kernel
	for i := -min(4, t.steps); i < t.steps && ctx.Err() == nil; i++ {
		q := t.request(i + 4)
		adapt(&q)
		k.now += 10
		if t.full {
			k.rested()
		}
		var ok bool
		var lease uint64
		step := func() {
			var g gang.Grant
			g, ok = k.submit(q)
			lease = g.Lease
		}
		if i < 0 {
			step() // shapes are seen for the first time
		} else {
			submits.of(step)
		}
		if !ok {
			return fmt.Errorf("%s: no room: %v", what, k.Why(q.Gang))
		}
		k.Step(gang.Started{Now: k.now, Gang: q.Gang, Lease: lease})
		ends.of(func() { k.release(q.Gang) })
		if err := t.turn(); err != nil {
			return err
		}
	}
	t.latency(what, &submits, t.goal)
	t.latency(what+": its end", &ends, 0)
	return ctx.Err()
}

// turn lets one busy gang end and begin again.
func (t *gangTest) turn() error {
	if t.full {
		return nil
	}
	t.ending = (t.ending + 1) % (t.layout.nodes / t.layout.rack)
	b := t.busy(t.ending)
	t.kernel.release(b.Gang)
	return t.kernel.run(b)
}

// refusals times submits that find no room, with the reasons told. Each has a pass
// of its own.
func (t *gangTest) refusals(ctx context.Context, what string) error {
	var submits, whys times
	k := t.kernel
	for i := 0; i < t.steps && ctx.Err() == nil; i++ {
		q := t.request(i)
		t.byFours(&q)
		q.Each.CPU = 40_000 // an empty node has room, a busy one has not
		q.Placement = core.PlacementAsk{Pack: "zone", PerHost: 1}
		k.rested()
		var ok bool
		submits.of(func() { _, ok = k.submit(q) })
		if ok {
			return fmt.Errorf("%s: there was room", what)
		}
		whys.of(func() { k.Why(q.Gang) })
		k.Step(gang.Cancel{Now: k.now, Gang: q.Gang})
	}
	t.latency(what, &submits, t.goal)
	t.latency(what+": why", &whys, 0)
	return ctx.Err()
}

// crowd lets 500 gangs wait that find no room until much of a zone is empty.
func (t *gangTest) crowd() error {
	t.full, t.steps = true, min(t.steps, 3)
	for i := range 500 {
		id, j := job("wait", i)
		q := gang.Request{Gang: id, Job: j, Size: t.layout.zone * 6 / 10, Each: core.Resources{CPU: 40_000, Memory: 1 << 30},
			Walltime: 600_000 * int64(1+i%12), Placement: core.PlacementAsk{Pack: "zone", PerHost: 1}, Priority: -1}
		t.kernel.now++
		if _, ok := t.kernel.submit(q); ok {
			return fmt.Errorf("gang %s was to wait", id)
		}
	}
	return nil
}
