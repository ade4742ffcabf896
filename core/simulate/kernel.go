package simulate

import (
	"cmp"
	"container/heap"
	"time"

	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/predict"
)

// kernel replays a workload through a scheduler, feeding it what a host whose
// gangs start at once would.
type kernel struct {
	scheduler *gang.Scheduler
	clock     func() time.Time
	now       int64
	records   map[gang.ID]*Record
	leases    map[gang.ID]uint64 // of what runs
	ends      ends
	history   predict.History
	steps     []time.Duration
}

// replay is the policy Kernel.
func replay(w *Workload, o Options) *Outcome {
	out := &Outcome{Policy: Kernel, Machine: w.Machine, Records: make([]Record, len(w.Jobs))}
	k := kernel{scheduler: gang.New(o.Kernel), clock: o.Clock, now: w.Jobs[0].Arrive,
		records: map[gang.ID]*Record{}, leases: map[gang.ID]uint64{}}
	for _, n := range w.Machine.Nodes {
		k.step(gang.NodeUp{Now: k.now, Node: n})
	}
	k.steps = nil // nobody waits yet, so nothing was decided
	for next := 0; next < len(w.Jobs) || len(k.ends) > 0; {
		k.now = k.moment(w, next)
		for len(k.ends) > 0 && k.ends[0].at == k.now {
			k.end(heap.Pop(&k.ends).(end))
		}
		for ; next < len(w.Jobs) && w.Jobs[next].Arrive == k.now; next++ {
			r := &out.Records[next]
			r.Job = &w.Jobs[next]
			k.submit(r)
		}
		if at := k.scheduler.Next(); at != 0 && at <= k.now {
			k.step(gang.Tick{Now: k.now})
		}
	}
	out.Steps = k.steps
	return out
}

// moment is when something happens next.
func (k *kernel) moment(w *Workload, next int) int64 {
	at := int64(0)
	earlier := func(t int64) {
		if t > 0 && (at == 0 || t < at) {
			at = t
		}
	}
	if next < len(w.Jobs) {
		earlier(w.Jobs[next].Arrive)
	}
	if len(k.ends) > 0 {
		earlier(k.ends[0].at)
	}
	earlier(k.scheduler.Next())
	return max(at, k.now)
}

func (k *kernel) submit(r *Record) {
	q := r.Job.Request
	q.Predicted = k.history.Predict(q.User, q.Name, q.Walltime)
	k.records[q.Gang] = r
	k.step(gang.Submit{Now: k.now, Request: q})
}

// end releases a gang, unless the lease it ran under is no longer its own.
func (k *kernel) end(e end) {
	r := k.records[e.gang]
	if r == nil || k.leases[e.gang] != e.lease {
		return
	}
	delete(k.records, e.gang)
	delete(k.leases, e.gang)
	r.End = k.now
	q := &r.Job.Request
	k.history.Ended(q.User, q.Name, r.End-r.Start)
	k.step(gang.Release{Now: k.now, Gang: e.gang, Lease: e.lease})
}

// step is one event, with what follows from it at once.
func (k *kernel) step(e gang.Event) {
	var actions []gang.Action
	if k.clock == nil {
		actions = k.scheduler.Step(e).Actions
	} else {
		began := k.clock()
		actions = k.scheduler.Step(e).Actions
		k.steps = append(k.steps, k.clock().Sub(began))
	}
	for _, a := range actions {
		k.obey(a)
	}
}

// obey does what a host does whose gangs start and end at once.
func (k *kernel) obey(a gang.Action) {
	switch a := a.(type) {
	case gang.Grant:
		r := k.records[a.Gang]
		r.Start = k.now
		if v, ok := k.scheduler.Gang(a.Gang); ok && v.Promise != 0 {
			r.quote(v.Promise)
		}
		k.leases[a.Gang] = a.Lease
		heap.Push(&k.ends, end{k.now + r.Job.Holds(), a.Gang, a.Lease})
		k.step(gang.Started{Now: k.now, Gang: a.Gang, Lease: a.Lease})
	case gang.Revoke:
		if r := k.records[a.Gang]; r != nil {
			r.Start = 0 // it waits again; what it did is lost
		}
		delete(k.leases, a.Gang)
	case gang.Refuse:
		delete(k.records, a.Gang)
	}
}

// end is when a gang will be done.
type end struct {
	at    int64
	gang  gang.ID
	lease uint64
}

// ends is a heap by time, then by lease.
type ends []end

func (h ends) Len() int { return len(h) }
func (h ends) Less(a, b int) bool {
	return cmp.Or(cmp.Compare(h[a].at, h[b].at), cmp.Compare(h[a].lease, h[b].lease)) < 0
}
func (h ends) Swap(a, b int) { h[a], h[b] = h[b], h[a] }
func (h *ends) Push(x any)   { *h = append(*h, x.(end)) }
func (h *ends) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	*h = (*h)[:last]
	return e
}
