package gang

import (
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/queue"
)

// dice draws a number from lo to hi.
type dice func(lo, hi int) int

func (d dice) oneIn(n int) bool { return d(1, n) == 1 }

func pick[T any](d dice, list ...T) T { return list[d(0, len(list)-1)] }

// faultyWorld plays a host that answers late, twice or never, on machines that
// come and go.
type faultyWorld struct {
	roll  dice
	s     *Scheduler
	m     *model
	log   []Event
	told  told // of this life of the scheduler
	now   int64
	next  int // number of the next job
	jobs  []core.JobID
	fault error
}

func newFaultyWorld(roll dice) *faultyWorld {
	w := &faultyWorld{roll: roll, s: New(Config{}), m: newModel(), now: 1000}
	w.step(Configure{w.now, anyQueues(roll)})
	for i := range roll(1, 8) {
		w.step(NodeUp{w.now, w.node(i)})
	}
	w.step(Supply{w.now, map[string]int64{"l": int64(roll(0, 3))}})
	return w
}

// restarted is the event of a log that stands for a new life of the host.
type restarted struct{ Tick }

// step tells the scheduler and the model, and compares them.
func (w *faultyWorld) step(e Event) {
	if w.fault != nil {
		return
	}
	w.log = append(w.log, e)
	if err := play(&w.s, w.m, e, &w.told); err != nil {
		w.fault = fmt.Errorf("after %T%+v: %w", e, e, err)
	}
}

// play takes one event in a scheduler and a model, and notes it down.
func play(s **Scheduler, m *model, e Event, t *told) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	if _, ok := e.(restarted); ok {
		return restart(s, m, t)
	}
	m.hear(e)
	r := (*s).Step(e)
	t.log, t.result = append(t.log, e), append(t.result, r)
	for _, a := range r.Actions {
		if err := m.see(a); err != nil {
			return fmt.Errorf("%v: %w", a, err)
		}
	}
	return agree(*s, m)
}

// restart makes a new scheduler and tells it what a host knows from its journal.
func restart(s **Scheduler, m *model, t *told) error {
	*t = told{first: Config{Lease: m.lease}}
	*s = New(t.first)
	fresh := []Event{Configure{m.now, m.queues}, Supply{m.now, m.licences}}
	for _, id := range slices.Sorted(keys(m.nodes)) {
		n := m.nodes[id]
		if n.Capacity == (core.Resources{}) && n.Labels == nil && n.down {
			continue
		}
		fresh = append(fresh, NodeUp{m.now, n.Node})
		if n.down {
			fresh = append(fresh, NodeDown{m.now, id})
		}
		if n.draining {
			fresh = append(fresh, NodeDrain{m.now, id, true, n.until})
		}
	}
	for _, name := range slices.Sorted(keys(m.reserved)) {
		fresh = append(fresh, m.reserved[name])
	}
	for _, job := range slices.Sorted(keys(m.ended)) {
		fresh = append(fresh, JobEnded{m.now, job, m.ended[job]})
	}
	old := m.ordered()
	ended := m.elements
	again := newModel()
	again.now, again.lease, again.number = m.now, m.lease, m.number
	*m = *again
	for _, g := range old {
		if g.lease == 0 {
			continue
		}
		e := Adopt{Now: m.now, Request: g.Request, Lease: g.lease, Placement: g.nodes, Roles: g.roles}
		if g.up {
			e.Since = g.since
		}
		for rank, lost := range g.lost {
			if lost {
				e.Lost = append(e.Lost, rank)
			}
		}
		fresh = append(fresh, e)
	}
	for _, g := range old {
		if g.lease != 0 {
			continue
		}
		if g.Array != nil {
			fresh = append(fresh, elementsOf(m.now, g, ended[g.Job]))
		}
		fresh = append(fresh, Submit{Now: m.now, Request: g.Request, Again: true})
	}
	for _, e := range fresh {
		if err := play(s, m, e, t); err != nil {
			return fmt.Errorf("restart, %T%+v: %w", e, e, err)
		}
	}
	return nil
}

func elementsOf(now int64, g *modelGang, ended map[int64]Ending) Event {
	e := ElementsEnded{Now: now, Gang: g.Gang}
	for _, i := range slices.Sorted(keys(ended)) {
		r := core.ArrayRange{First: i, Last: i, Step: 1}
		if ended[i] == OK {
			e.OK = append(e.OK, r)
		} else {
			e.Failed = append(e.Failed, r)
		}
	}
	return e
}

func anyQueues(roll dice) queue.Config {
	c := queue.Config{Default: "a", Queues: []queue.Queue{{Name: "a"}, {Name: "b"}, {Name: "b2"}}}
	for i := range c.Queues {
		q := &c.Queues[i]
		q.PreemptLower = roll.oneIn(2)
		q.Reclaim = pick(roll, "", "any", "lower", "never")
		q.Order = pick(roll, "", "fifo", "short", "fair")
		if roll.oneIn(2) {
			q.Quota = queue.Amounts{"cpu": int64(roll(1, 12)) * 1000}
		}
		if roll.oneIn(5) {
			q.Limit = queue.Amounts{"cpu": int64(roll(2, 12)) * 1000}
		}
		if roll.oneIn(6) {
			q.MaxUser = queue.Amounts{"cpu": int64(roll(2, 8)) * 1000}
		}
		if roll.oneIn(6) {
			q.MaxRunning = roll(1, 4)
		}
		if roll.oneIn(6) {
			q.MaxPerUser = roll(1, 3)
		}
		if q.Quota != nil && roll.oneIn(4) {
			q.Borrow = queue.Amounts{"cpu": int64(roll(0, 4)) * 1000}
		}
		if q.Quota != nil && roll.oneIn(4) {
			q.Lend = queue.Amounts{"cpu": int64(roll(0, 4)) * 1000}
		}
	}
	if roll.oneIn(3) {
		c.Guard = int64(roll(1, 60)) * 1000
	}
	if roll.oneIn(3) {
		c.HalfLife = 60_000
	}
	return c
}

// node is the i-th machine: its place and labels are its own, what it can hold
// may change.
func (w *faultyWorld) node(i int) core.Node {
	n := core.Node{
		ID: core.NodeID(rune('a' + i)), Zone: []string{"z1", "z2"}[i/3%2], Rack: []string{"r1", "r1", "r2", "r3", "r3", ""}[i%6],
		Capacity: core.Resources{CPU: core.MilliCPU(w.roll(1, 12)) * 1000, Memory: core.Bytes(w.roll(1, 12)) << 30},
		Labels:   map[string]string{"disk": []string{"ssd", "hdd"}[i%2]},
	}
	if i%3 != 2 {
		n.Generic = map[string]int64{"gpu": int64(w.roll(0, 4))}
	}
	if i == 3 {
		n.Generic = map[string]int64{"nic": 1, "gpu": 1}
	}
	return n
}

// request draws what a job may ask for. Most ask little, so that they meet.
func (w *faultyWorld) request() Request {
	roll := w.roll
	w.next++
	job := core.JobID(fmt.Sprintf("j%03d", w.next))
	q := Request{
		Gang: IDOf(job, "m"), Job: job, Size: roll(1, 6), Priority: pick(roll, 50, 50, 10, 90),
		Each:  core.Resources{CPU: core.MilliCPU(roll(1, 6)) * 500, Memory: core.Bytes(roll(0, 4)) << 29},
		Queue: pick(roll, "a", "a", "b", "b2"), User: pick(roll, "", "u", "v"), StartTimeout: int64(roll(1, 60)) * 1000,
	}
	if roll.oneIn(2) {
		q.Walltime = int64(roll(1, 90)) * 1000
	}
	q.Grace = pick[int64](roll, -1, 1, 5000, 30_000)
	q.Restart = pick(roll, "", "member", "gang")
	w.shape(&q)
	w.place(&q)
	w.hold(&q)
	return q
}

func (w *faultyWorld) shape(q *Request) {
	roll := w.roll
	switch roll(0, 8) {
	case 0, 8:
		q.Min = roll(1, q.Size)
		q.Max = q.Size + roll(0, 3)
	case 1:
		q.Roles = []core.Role{{Name: "driver", Size: 1, CPU: 1500}, {Name: "worker", Size: q.Size}}
		q.Roles[1].Min = roll(1, q.Size)
		if roll.oneIn(2) {
			q.Roles[1].Generic = map[string]int64{"gpu": 1}
		}
		q.Size++
	case 2, 3:
		first := int64(roll(0, 3))
		q.Array = &core.Array{Ranges: []core.ArrayRange{{First: first, Last: first + int64(roll(0, 5)), Step: 1}}}
		if roll.oneIn(3) {
			q.Array.Ranges = append(q.Array.Ranges, core.ArrayRange{First: 20, Last: 20 + 2*int64(roll(0, 2)), Step: 2})
		}
		if roll.oneIn(2) {
			q.Array.AtOnce = roll(1, 3)
		}
		q.Size = roll(1, 2)
	}
	if q.Roles == nil && roll.oneIn(5) {
		q.Generic = map[string]int64{pick(roll, "gpu", "gpu", "gpu", "nic"): int64(roll(0, 2))}
	}
	if roll.oneIn(5) {
		q.Licences = map[string]int64{"l": int64(roll(1, 3))}
	}
	if roll.oneIn(12) {
		q.Ports = []int{8080}
	}
}

func (w *faultyWorld) place(q *Request) {
	roll := w.roll
	switch roll(0, 5) {
	case 0:
		q.Placement.Pack = pick(roll, "host", "rack", "zone")
	case 1:
		q.Placement.Spread = pick(roll, "host", "rack", "zone")
	}
	if q.Placement != (core.PlacementAsk{}) && roll.oneIn(3) {
		q.Placement.Preferred = true
		q.Placement.Wait = core.Duration(roll(0, 20)) * 1e9
	}
	if roll.oneIn(10) {
		q.Placement.PerHost = roll(1, 3)
	}
	if roll.oneIn(5) {
		q.Constraints = append(q.Constraints, pick(roll,
			core.Constraint{Attribute: "disk", Operator: "LIKE", Value: "ssd"},
			core.Constraint{Attribute: "disk", Operator: "UNLIKE", Value: "ssd"},
			core.Constraint{Attribute: "zone", Operator: "CLUSTER", Value: "z1"},
			core.Constraint{Attribute: "rack", Operator: "CLUSTER"},
			core.Constraint{Attribute: "host", Operator: "UNIQUE"},
			core.Constraint{Attribute: "rack", Operator: "MAX_PER", Value: "2"},
			core.Constraint{Attribute: "zone", Operator: "GROUP_BY", Value: "2"},
			core.Constraint{Attribute: "app", Operator: "APART", Value: "db"},
		))
	}
	if roll.oneIn(6) {
		q.Labels = map[string]string{"app": pick(roll, "db", "web")}
	}
}

func (w *faultyWorld) hold(q *Request) {
	roll := w.roll
	if roll.oneIn(3) && len(w.jobs) > 0 {
		for range roll(1, 2) {
			q.When.After = append(q.When.After, core.Dependency{
				Job: pick(roll, w.jobs...), Ended: pick(roll, "", "ok", "failed", "any"), Each: roll.oneIn(2)})
		}
	}
	switch roll(0, 20) {
	case 0:
		q.When.Hold = true
	case 1:
		q.When.Begin = w.now + int64(roll(0, 30))*1000
	case 2:
		q.When.Deadline = w.now + int64(roll(0, 90))*1000
	case 3, 4:
		q.When.Singleton, q.Name = true, pick(roll, "x", "y")
	case 5:
		q.Reservation = pick(roll, "r", "s")
	}
}
