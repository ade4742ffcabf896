package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
	"github.com/capstan-run/capstan/core/journal"
)

// gangRun is a gang of a running attempt. Guarded by Host.mu.
//
//	waiting ─granted→ starting ─all joined→ up ─tearDown→ gone
//	   ↑                 │
//	   └────revoked──────┘
type gangRun struct {
	attempt *attempt
	id      gang.ID
	state   *gangState
	members []*member     // by rank; nil while waiting
	wanted  bool          // the coordinator asked for it
	gone    bool          // torn down: nothing of it may start any more
	resumed bool          // it was up before this host
	again   *core.GangAsk // asked for anew while it is released
	noted   bool          // it was told to give way
	notices []core.Event  // what it was told that it will lose
	array   *core.Array   // of an array; nil: it is one gang
	whole   *gangRun      // the array that an element belongs to; nil: it is none
	index   int64         // of an element
	ending  gang.Ending   // how an element ended
	// failure is why the last start came to nothing, told when the scheduler
	// gives the gang up.
	failure   *core.Error
	listeners []net.Listener
	// told is closed once the journal has heard of the last revocation: the
	// next grant comes after it.
	told chan struct{}

	// ctx ends with the lease, and work is who acts under it: what a lease has
	// is removed only when nobody can add to it. A revoked gang gets new ones.
	ctx    context.Context
	cancel context.CancelFunc
	work   *sync.WaitGroup
	torn   sync.Once
}

// errStale ends a start whose lease is gone.
var errStale = errors.New("the lease is no longer in force")

// newGangRun registers a gang with its attempt. h.mu is held.
func newGangRun(a *attempt, ask core.GangAsk) *gangRun {
	g := &gangRun{attempt: a, id: gang.IDOf(a.job.rec.Job.ID, ask.Name), state: &gangState{Ask: ask}, told: make(chan struct{})}
	close(g.told)
	if ask.Array != "" {
		g.array, _ = core.ParseArray(ask.Array) // checkAsk has seen to it
	}
	g.renew()
	a.gangs[ask.Name] = g
	a.h.gangs[g.id] = g
	if a.job.rec.Gangs == nil {
		a.job.rec.Gangs = map[string]*gangState{}
	}
	a.job.rec.Gangs[ask.Name] = g.state
	return g
}

// forget takes a gang that is gone out of the host's index. h.mu is held.
func (g *gangRun) forget() {
	if h := g.attempt.h; h.gangs[g.id] == g {
		delete(h.gangs, g.id)
	}
}

// renew makes g ready for a lease. h.mu is held.
func (g *gangRun) renew() {
	g.ctx, g.cancel = context.WithCancel(g.attempt.ctx)
	g.work = new(sync.WaitGroup)
}

// do runs f in a goroutine that belongs to the present lease. h.mu is held,
// and g is not gone.
func (g *gangRun) do(f func(context.Context)) {
	ctx, work := g.ctx, g.work
	work.Add(1)
	g.attempt.h.goRun(func(context.Context) { defer work.Done(); f(ctx) })
}

// holds reports whether lease is still in force. h.mu is held.
func (g *gangRun) holds(lease uint64) bool {
	return !g.gone && g.state.Lease == lease && !g.attempt.over()
}

func (g *gangRun) request() gang.Request {
	job, ask := &g.attempt.job.rec.Job, g.state.Ask
	m := job.Spec.Metadata
	r := gang.Request{
		Gang: g.id, Job: job.ID, Size: ask.Size, Min: ask.Min, Max: ask.Max,
		Each:      core.Resources{CPU: ask.CPU, Memory: ask.Memory},
		Placement: ask.Placement, Priority: m.Priority, Queue: m.Queue, User: m.User, Name: m.Name, Labels: m.Labels,
		Roles: ask.Roles, Generic: ask.Generic, Licences: ask.Licences, Ports: ask.Ports, Constraints: ask.Constraints,
		Reservation: m.Reservation, Image: ask.Image, Restart: ask.Restart, When: heldBy(m.When),
		StartTimeout: time.Duration(ask.StartTimeout).Milliseconds(),
		Walltime:     time.Duration(m.Walltime).Milliseconds(),
		Predicted:    g.attempt.h.history.Predict(m.User, m.Name, time.Duration(m.Walltime).Milliseconds()),
		Grace:        time.Duration(ask.Grace).Milliseconds(),
		Arrival:      g.attempt.job.arrivals[g.id], Array: g.array,
	}
	if _, _, element := core.ElementOf(ask.Name); element {
		r.When = gang.When{} // its array has waited
	}
	return r
}

// heldBy is w with times as the scheduler counts them.
func heldBy(w core.When) gang.When {
	v := gang.When{Hold: w.Hold, After: w.After, Singleton: w.Singleton}
	if !w.Begin.IsZero() {
		v.Begin = w.Begin.UnixMilli()
	}
	if !w.Deadline.IsZero() {
		v.Deadline = w.Deadline.UnixMilli()
	}
	return v
}

// granted takes the scheduler's placement: names the members, then starts them
// outside the lock. h.mu is held.
func (g *gangRun) granted(act gang.Grant) {
	a := g.attempt
	if g.gone || a.over() {
		return
	}
	rec := &a.job.rec
	g.failure = nil
	g.state.Lease = act.Lease
	rec.Lease = max(rec.Lease, act.Lease)
	rec.Generation = max(rec.Generation, 1)
	g.state.Members = make([]memberState, len(act.Nodes))
	g.members = make([]*member, len(act.Nodes))
	for r, node := range act.Nodes {
		g.members[r] = &member{gang: g, rank: r, node: node, id: g.executorID(r, 0)}
		if act.Roles != nil {
			g.state.Members[r].Role = act.Roles[r]
		}
	}
	if a.job.rec.Job.State == core.Queued {
		a.job.rec.Job.State = core.Starting
	}
	members, told := g.members, g.told
	g.do(func(ctx context.Context) {
		select {
		case <-told:
			g.start(ctx, act.Lease, members)
		case <-ctx.Done():
		}
	})
	a.begin()
}

// executorID names the n-th executor of a rank under the present lease.
func (g *gangRun) executorID(rank, n int) string {
	a := g.attempt
	name := strings.NewReplacer("[", ".", "]", "").Replace(g.state.Ask.Name) // an id has no brackets
	id := core.Rank{Job: a.job.rec.Job.ID, Epoch: a.epoch, Gang: name, Rank: rank}.String()
	id = fmt.Sprintf("%s.%d", id, g.state.Lease)
	if n > 0 {
		id = fmt.Sprintf("%s.%d", id, n)
	}
	return id
}

// revoked releases everything the gang holds. h.mu is held.
func (g *gangRun) revoked(act gang.Revoke) {
	switch {
	case g.gone:
	case g.whole != nil:
		g.elementRevoked(act)
	case g.state.Up:
		g.evicted(act)
	default:
		g.requeue(act)
	}
}

// requeue releases everything the gang holds; it waits again. h.mu is held.
func (g *gangRun) requeue(act gang.Revoke) {
	h, a := g.attempt.h, g.attempt
	old := &gangRun{attempt: a, id: g.id, state: &gangState{Ask: g.state.Ask, Dir: g.state.Dir},
		members: g.members, listeners: g.listeners, ctx: g.ctx, cancel: g.cancel, work: g.work}
	h.volumes.pass(g, old)
	old.retire()
	g.members, g.listeners, g.notices = nil, nil, nil
	g.renew()
	g.state.Lease, g.state.Dir, g.state.Members, g.state.Up = 0, "", nil, false
	if a.job.rec.Job.State == core.Starting {
		a.job.rec.Job.State = core.Queued
	}
	a.clearing.Add(2)
	h.goRun(func(context.Context) { defer a.clearing.Done(); old.tearDown() })
	told := make(chan struct{})
	g.told = told
	event := g.event("revoked", fmt.Sprintf("gang %s goes back to the queue: %s", g.state.Ask.Name, act.Reason))
	h.goRun(func(context.Context) {
		defer a.clearing.Done()
		defer close(told)
		h.persist(a.job, event...)
	})
}

// event is a record for the job's history; none of what every element of an
// array goes through. It needs no lock: an element is known by its name, also
// one that was adopted and whose array is not there yet.
func (g *gangRun) event(kind, text string) []journal.Record {
	_, _, element := core.ElementOf(g.state.Ask.Name)
	if element && (kind == "granted" || kind == "gang-up" || kind == "released") {
		return nil
	}
	return []journal.Record{g.attempt.job.event(kind, text)}
}
