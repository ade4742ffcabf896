package schedule

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/queue"
)

// class is a sort of workload in each queue of a load.
type class struct {
	name     string
	count    int
	interval int64 // between two of them, in milliseconds
	runs     int64
	priority int
	cpu      core.MilliCPU
	ranks    int     // of the topology load
	kueue    float64 // mean seconds to admission that Kueue publishes; 0 for none
}

// load is one of the generators of Kueue's performance tests
// (test/performance/scheduler/configs).
type load struct {
	name            string
	cohorts, queues int
	classes         []class
	topology        bool
	goal, kueue     float64 // seconds
}

func baseline() load {
	return load{name: "baseline", cohorts: 5, queues: 6, goal: 75, kueue: 351, classes: []class{
		{"small", 350, 100, 200, 50, 1000, 2, 215},
		{"medium", 100, 500, 500, 100, 5000, 4, 77},
		{"large", 50, 1200, 1000, 200, 20_000, 8, 16.5},
	}}
}

func large() load {
	return load{name: "large", cohorts: 10, queues: 100, goal: 12, kueue: 1179, classes: []class{
		{"small", 35, 60, 150, 50, 1000, 2, 700},
		{"medium", 11, 300, 350, 100, 5000, 4, 0},
		{"large", 4, 700, 700, 200, 20_000, 8, 0},
	}}
}

func topology() load {
	l := baseline()
	l.name, l.topology, l.goal, l.kueue = "topology", true, 80, 401
	for i := range l.classes {
		l.classes[i].kueue = 0
	}
	return l
}

// kueueLoad is the workload of a load.
func kueueLoad(l load) func(context.Context, Config, *report) error {
	return func(ctx context.Context, c Config, r *report) error {
		l.queues = max(1, l.queues/c.Scale)
		if c.Scale > 1 {
			l.cohorts = 1
			l.classes = slices.Clone(l.classes)
			for i := range l.classes {
				l.classes[i].count = max(1, l.classes[i].count/c.Scale)
			}
		}
		return newStage(l).play(ctx, r)
	}
}

// cluster is what a load runs on. Kueue's first two loads know quotas and no
// nodes, so theirs is one node with room for all.
func (l load) cluster() layout {
	if l.topology {
		return layout{nodes: 640, rack: 64, zone: 640, each: core.Resources{CPU: 96_000, Memory: 256 << 30}}
	}
	return layout{nodes: 1, rack: 1, zone: 1, each: core.Resources{CPU: core.MilliCPU(l.cohorts * l.queues * 40_000), Memory: 1 << 50}}
}

// tree is the queues: each has 20 CPUs, may borrow 100 within its cohort, takes
// back from whoever borrowed of it, and displaces its own of lower priority.
func (l load) tree() queue.Config {
	var c queue.Config
	for i := range l.cohorts {
		cohort := fmt.Sprintf("cohort%02d", i)
		c.Queues = append(c.Queues, queue.Queue{Name: cohort, Borrow: queue.Amounts{"cpu": 0}, Lend: queue.Amounts{"cpu": 0}})
		for j := range l.queues {
			c.Queues = append(c.Queues, queue.Queue{Name: fmt.Sprintf("%s/q%03d", cohort, j),
				Quota: queue.Amounts{"cpu": 20_000}, Borrow: queue.Amounts{"cpu": 100_000}, PreemptLower: true, Reclaim: "any"})
		}
	}
	return c
}

// arrival is a workload that comes at a time, in milliseconds from the start.
type arrival struct {
	at    int64
	class int
	q     gang.Request
}

// arrivals is all workloads of a load in order of time.
func (l load) arrivals() []arrival {
	var out []arrival
	n := 0
	for _, q := range l.tree().Queues {
		if len(q.Quota) == 0 {
			continue
		}
		for k, c := range l.classes {
			for i := range c.count {
				out = append(out, arrival{int64(i) * c.interval, k, l.request(n, q.Name, c)})
				n++
			}
		}
	}
	slices.SortStableFunc(out, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	return out
}

func (l load) request(n int, queue string, c class) gang.Request {
	id, j := job(c.name, n)
	q := gang.Request{Gang: id, Job: j, Queue: queue, Priority: c.priority, Size: 1, Each: core.Resources{CPU: c.cpu, Memory: 1 << 20}, Grace: -1}
	if !l.topology {
		return q
	}
	q.Size, q.Each.CPU = c.ranks, c.cpu/core.MilliCPU(c.ranks)
	switch n % 3 {
	case 0:
		q.Placement = core.PlacementAsk{Pack: "rack"}
	case 1:
		q.Placement = core.PlacementAsk{Pack: "rack", Preferred: true}
	case 2:
		q.Placement = core.PlacementAsk{Pack: "rack", Preferred: true, Slice: c.ranks / 2, SliceLevel: "host"}
	}
	return q
}

// finish is when a granted workload ends.
type finish struct {
	at    int64
	gang  gang.ID
	lease uint64
}

type finishes []finish

func (f finishes) Len() int           { return len(f) }
func (f finishes) Less(i, j int) bool { return f[i].at < f[j].at }
func (f finishes) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *finishes) Push(v any)        { *f = append(*f, v.(finish)) }
func (f *finishes) Pop() any {
	old := *f
	v := old[len(old)-1]
	*f = old[:len(old)-1]
	return v
}

// stage plays a load, in real time unless its clock is another.
type stage struct {
	load
	*kernel
	coming  []arrival
	begun   map[gang.ID]arrival
	running map[gang.ID]uint64 // leases
	ends    finishes
	waits   []durations // until first admitted, by class
	evicted int
	clock   func() int64 // the kernel's time, in milliseconds from the start
}

func newStage(l load) *stage {
	return &stage{load: l, kernel: newKernel(gang.Config{Queues: l.tree(), Evictions: 1 << 30}, l.cluster()), coming: l.arrivals(),
		begun: map[gang.ID]arrival{}, running: map[gang.ID]uint64{}, waits: make([]durations, len(l.classes))}
}

func (s *stage) play(ctx context.Context, r *report) error {
	all := len(s.coming)
	start := time.Now()
	s.clock = func() int64 { return time.Since(start).Milliseconds() }
	took := measure(func() {
		for len(s.coming) > 0 || len(s.begun) > 0 {
			if s.round(ctx); !s.wait(ctx) {
				return
			}
		}
	})
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%d of %d workloads are to come, %d wait or run: %w", len(s.coming), all, len(s.begun), err)
	}
	r.add(Row{What: fmt.Sprintf("%s: %d workloads in %d queues", s.name, all, s.cohorts*s.queues), Figure: took.wall.Seconds(), Unit: "s", Goal: s.goal,
		Note: fmt.Sprintf("%.1f s of CPU; Kueue %s s; %d gave way", took.cpu.Seconds(), amount(s.load.kueue), s.evicted)})
	for i, c := range s.classes {
		note := ""
		if c.kueue > 0 {
			note = fmt.Sprintf("Kueue %s s", amount(c.kueue))
		}
		r.add(Row{What: s.name + ": mean wait of " + c.name, Figure: s.waits[i].sum().Seconds() / float64(len(s.waits[i])), Unit: "s", Note: note})
	}
	return nil
}

// round does what is due.
func (s *stage) round(ctx context.Context) {
	for len(s.ends) > 0 && s.ends[0].at <= s.clock() && ctx.Err() == nil {
		f := heap.Pop(&s.ends).(finish)
		if s.running[f.gang] != f.lease {
			continue // it gave way meanwhile
		}
		delete(s.running, f.gang)
		delete(s.begun, f.gang)
		s.step(gang.Release{Now: s.tick(), Gang: f.gang})
	}
	for len(s.coming) > 0 && s.coming[0].at <= s.clock() && ctx.Err() == nil {
		a := s.coming[0]
		s.coming = s.coming[1:]
		a.at = s.clock()
		s.begun[a.q.Gang] = a
		s.step(gang.Submit{Now: s.tick(), Request: a.q})
	}
	if next := s.Next(); next != 0 && next <= s.tick() {
		s.step(gang.Tick{Now: s.tick()})
	}
}

// tick is the kernel's time.
func (s *stage) tick() int64 { return s.clock() + 1 }

func (s *stage) step(e gang.Event) {
	for _, a := range s.Step(e).Actions {
		switch a := a.(type) {
		case gang.Grant:
			s.admitted(a)
		case gang.Revoke:
			delete(s.running, a.Gang)
			s.evicted++
		}
	}
}

func (s *stage) admitted(g gang.Grant) {
	w := s.begun[g.Gang]
	now := s.clock()
	if w.at >= 0 {
		s.waits[w.class] = append(s.waits[w.class], time.Duration(now-w.at)*time.Millisecond)
		w.at = -1 // only its first admission counts
		s.begun[g.Gang] = w
	}
	s.running[g.Gang] = g.Lease
	heap.Push(&s.ends, finish{now + s.classes[w.class].runs, g.Gang, g.Lease})
	s.step(gang.Started{Now: s.tick(), Gang: g.Gang, Lease: g.Lease})
}

// next is when there is something to do, in milliseconds from the start.
func (s *stage) next() int64 {
	next := s.clock() + 50
	if len(s.coming) > 0 {
		next = min(next, s.coming[0].at)
	}
	if len(s.ends) > 0 {
		next = min(next, s.ends[0].at)
	}
	if due := s.Next(); due != 0 {
		next = min(next, due-1) // the kernel's time is one ahead
	}
	return next
}

// wait waits for what is next; false if ctx ends before.
func (s *stage) wait(ctx context.Context) bool {
	select {
	case <-time.After(time.Duration(s.next()-s.clock()) * time.Millisecond):
		return true
	case <-ctx.Done():
		return false
	}
}
