package schedule

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/queue"
)

// replay records the log of a random life and replays it: actions, state and
// estimates have to be the same, byte for byte.
func replay(ctx context.Context, c Config, r *report) error {
	n := c.part(5000, 150)
	life := newRandomLife(c.part(200, 20))
	took := measure(func() {
		for range n {
			if ctx.Err() == nil {
				life.turn()
			}
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	var actions strings.Builder
	k := &kernel{}
	again := measure(func() {
		for line := range bytes.Lines(life.log) {
			e, conf, err := gang.ParseEvent(line)
			if err != nil {
				life.err = err
				return
			}
			if conf != nil {
				k.Scheduler = gang.New(*conf)
				continue
			}
			write(&actions, k.Step(e))
		}
	})
	if life.err != nil {
		return life.err
	}
	if actions.String() != life.actions.String() {
		return fmt.Errorf("the replay took other actions")
	}
	if k.String() != life.kernel.String() {
		return fmt.Errorf("the replay ended in another state")
	}
	for _, id := range life.live {
		if x, y := life.Why(id).String(), k.Why(id).String(); x != y {
			return fmt.Errorf("after the replay %s", y)
		}
	}
	r.add(Row{What: fmt.Sprintf("%d random events, %d KiB of actions, identical bytes", n, actions.Len()>>10), Figure: 1, Unit: "of 1", Goal: 1, More: true,
		Note: fmt.Sprintf("life %.2f s of CPU, replay %.2f s", took.cpu.Seconds(), again.cpu.Seconds())})
	return nil
}

func write(b *strings.Builder, r gang.Result) {
	for _, a := range r.Actions {
		fmt.Fprintln(b, a)
	}
	for _, x := range r.Explanations {
		fmt.Fprintln(b, x)
	}
}

// randomLife draws events from a seed.
type randomLife struct {
	*kernel
	rand    *rand.Rand
	nodes   []core.Node
	live    []gang.ID
	leases  map[gang.ID]uint64
	jobs    int
	log     []byte
	actions strings.Builder
	err     error
}

func newRandomLife(nodes int) *randomLife {
	c := gang.Config{Explain: true, Queues: queue.Config{Queues: []queue.Queue{
		{Name: "a", Quota: queue.Amounts{"cpu": int64(nodes) * 20_000}, PreemptLower: true}, {Name: "b", Quota: queue.Amounts{"cpu": int64(nodes) * 20_000}}, {Name: "c", Order: "fair"},
	}}}
	l := &randomLife{kernel: &kernel{gang.New(c), 1}, rand: rand.New(rand.NewPCG(1, 2)), leases: map[gang.ID]uint64{}}
	l.log, l.err = gang.AppendConfig(nil, c)
	for _, e := range plain(nodes).events() {
		l.nodes = append(l.nodes, e.(gang.NodeUp).Node)
		l.step(e)
	}
	return l
}

func (l *randomLife) step(e gang.Event) {
	if l.err == nil {
		l.log, l.err = gang.AppendEvent(l.log, e)
	}
	out := l.Step(e)
	write(&l.actions, out)
	for _, a := range out.Actions {
		if g, ok := a.(gang.Grant); ok {
			l.leases[g.Gang] = g.Lease
		}
	}
}

func (l *randomLife) turn() {
	l.now += l.rand.Int64N(2000)
	node := l.nodes[l.rand.IntN(len(l.nodes))]
	switch k := l.rand.IntN(100); {
	case k < 45 || len(l.live) == 0:
		q := l.request()
		l.live = append(l.live, q.Gang)
		l.step(gang.Submit{Now: l.now, Request: q})
	case k < 65:
		id := l.live[l.rand.IntN(len(l.live))]
		l.step(gang.Started{Now: l.now, Gang: id, Lease: l.leases[id]})
	case k < 90:
		i := l.rand.IntN(len(l.live))
		id := l.live[i]
		l.live = append(l.live[:i], l.live[i+1:]...)
		l.step(gang.Release{Now: l.now, Gang: id, Ended: gang.OK})
	case k < 93:
		l.step(gang.Tick{Now: l.now})
	case k < 95:
		l.step(gang.NodeDrain{Now: l.now, ID: node.ID, Drain: l.rand.IntN(2) == 0, Until: l.now + 60_000})
	case k < 97:
		l.step(gang.NodeDown{Now: l.now, ID: node.ID})
	default:
		l.step(gang.NodeUp{Now: l.now, Node: node})
	}
}

func (l *randomLife) request() gang.Request {
	id, j := job("r", l.jobs)
	l.jobs++
	q := gang.Request{
		Gang: id, Job: j, Size: 1 + l.rand.IntN(200), Each: core.Resources{CPU: core.MilliCPU(500 * (1 + l.rand.IntN(16))), Memory: 1 << 30},
		Queue: []string{"a", "b", "c"}[l.rand.IntN(3)], User: fmt.Sprint("u", l.rand.IntN(5)), Priority: l.rand.IntN(4),
		Walltime: l.rand.Int64N(1000) * 1000,
	}
	switch l.rand.IntN(6) {
	case 0:
		q.Placement.Pack = "rack"
	case 1:
		q.Placement = core.PlacementAsk{Pack: "zone", Preferred: true}
	case 2:
		q.Constraints = []core.Constraint{{Attribute: "disk", Operator: "LIKE", Value: "ssd"}}
	case 3:
		q.Min = 1 + q.Size/2
	}
	return q
}
