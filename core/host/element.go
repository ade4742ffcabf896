package host

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// An array's gang waits as one, and nothing of it is ever up: each element that
// the scheduler grants is a gangRun of its own, made then and forgotten when it
// ends. What remains of an element is its place in an elements.

// elements is what became of an array's elements, by their places, as the
// journal keeps it.
type elements struct {
	OK     core.Intervals `json:"ok,omitempty"`
	Failed core.Intervals `json:"failed,omitempty"`
	// Refused are those of the failed that never came up, and Why is the reason
	// of the first: every coordinator hears of it.
	Refused core.Intervals `json:"refused,omitempty"`
	Why     *cancelled     `json:"why,omitempty"`
}

// fate is what became of g's elements. h.mu is held.
func (g *gangRun) fate() *elements {
	rec := &g.attempt.job.rec
	if rec.Arrays == nil {
		rec.Arrays = map[string]*elements{}
	}
	e := rec.Arrays[g.state.Ask.Name]
	if e == nil {
		e = new(elements)
		rec.Arrays[g.state.Ask.Name] = e
	}
	return e
}

// allEnded reports whether no element of g will run any more. h.mu is held.
func (g *gangRun) allEnded() bool {
	e := g.fate()
	return e.OK.Len()+e.Failed.Len() >= g.array.Len()
}

// gangOf is the gang called id; of an array it may be an element that was
// granted just now. h.mu is held.
func (h *Host) gangOf(id gang.ID) *gangRun {
	if g := h.gangs[id]; g != nil {
		return g
	}
	whole, index, ok := h.wholeOf(id)
	if !ok || whole.gone || whole.attempt.over() {
		return nil
	}
	ask := whole.state.Ask
	ask.Name, ask.Array = core.ElementName(ask.Name, index), ""
	g := newGangRun(whole.attempt, ask)
	g.whole, g.index, g.wanted = whole, index, whole.wanted
	return g
}

// wholeOf is the array that an element belongs to. h.mu is held.
func (h *Host) wholeOf(id gang.ID) (whole *gangRun, index int64, ok bool) {
	name, index, ok := gang.ElementOf(id)
	whole = h.gangs[name]
	return whole, index, ok && whole != nil && whole.array != nil
}

// elementsOf are those of g that have nodes, by index. h.mu is held.
func (g *gangRun) elementsOf() []*gangRun {
	var list []*gangRun
	for _, e := range g.attempt.gangs {
		if e.whole == g {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *gangRun) int { return cmp.Compare(a.index, b.index) })
	return list
}

// queueArray lets an array wait, of which elements may have been adopted or have
// ended in an earlier life of the host. h.mu is held.
func (g *gangRun) queueArray() {
	a, h, fate := g.attempt, g.attempt.h, g.fate()
	again := a.again || len(fate.OK)+len(fate.Failed) > 0
	for _, name := range slices.Sorted(maps.Keys(a.gangs)) {
		if of, index, ok := core.ElementOf(name); ok && of == g.state.Ask.Name {
			a.gangs[name].whole, a.gangs[name].index = g, index
			again = true
		}
	}
	if g.allEnded() { // and only its coordinator has to say so
		a.begin()
		return
	}
	at := now().UnixMilli()
	if len(fate.OK)+len(fate.Failed) > 0 {
		h.step(gang.ElementsEnded{Now: at, Gang: g.id, OK: g.array.Indexes(fate.OK), Failed: g.array.Indexes(fate.Failed)})
	}
	h.step(gang.Submit{Now: at, Request: g.request(), Again: again})
}

// tellElements tells a coordinator that asked for an array what there is of it.
// h.mu is held.
func (g *gangRun) tellElements() {
	side := g.attempt.side
	g.wanted = true
	if f := g.fate(); len(f.Refused) > 0 {
		side.tell(core.GangRefused{Gang: g.state.Ask.Name, Elements: g.array.Indexes(f.Refused), Err: f.Why.err()})
	}
	for _, e := range g.elementsOf() {
		if e.wanted = true; e.state.Up {
			side.tell(e.upEvent(g.attempt.job.rec.Generation > 1))
			e.remind()
		}
	}
}

// elementEnded writes down how an element ended. h.mu is held.
func (g *gangRun) elementEnded(ok bool) {
	n, has := g.whole.array.Place(g.index)
	f := g.whole.fate()
	switch {
	case !has:
	case ok:
		g.ending = gang.OK
		f.OK.Add(int64(n))
	default:
		g.ending = gang.Failed
		f.Failed.Add(int64(n))
	}
}

// dropElement forgets an element that waits again: when it is granted once more
// it is made anew. h.mu is held.
func (g *gangRun) dropElement() {
	a := g.attempt
	if g.failure != nil {
		g.whole.failure = g.failure
	}
	g.retire()
	delete(a.gangs, g.state.Ask.Name)
	delete(a.job.rec.Gangs, g.state.Ask.Name)
	g.forget()
	if waits := func(o *gangRun) bool { return o.state.Lease == 0 }; a.job.rec.Job.State == core.Starting && all(a.gangs, waits) {
		a.job.rec.Job.State = core.Queued
	}
	a.clearing.Add(1)
	a.h.goRun(func(context.Context) {
		defer a.clearing.Done()
		a.h.persist(a.job)
		g.tearDown()
	})
}

func all(gangs map[string]*gangRun, is func(*gangRun) bool) bool {
	for _, g := range gangs {
		if !is(g) {
			return false
		}
	}
	return true
}

// elementRevoked takes back what an element holds. Its coordinator hears of it
// if it had come up. h.mu is held.
func (g *gangRun) elementRevoked(act gang.Revoke) {
	if g.state.Up && g.wanted {
		for r := range g.members {
			g.attempt.side.tell(core.ExecutorLost{Gang: g.state.Ask.Name, Rank: r, Reason: act.Reason})
		}
	}
	g.dropElement()
}

// refuseElements writes down that elements will never come up, and tells the
// coordinator, or ends the attempt if it never will have one. h.mu is held.
func (g *gangRun) refuseElements(ranges []core.ArrayRange, err *core.Error) {
	a, f := g.attempt, g.fate()
	if g.failure != nil {
		err = g.failure
	}
	for _, run := range g.array.Places(ranges) {
		for n := run[0]; n <= run[1]; n++ {
			f.Failed.Add(n)
			f.Refused.Add(n)
		}
	}
	if f.Why == nil {
		f.Why = &cancelled{Kind: err.Kind, What: err.What, Remedy: err.Remedy}
	}
	switch {
	case g.wanted:
		a.side.tell(core.GangRefused{Gang: g.state.Ask.Name, Elements: ranges, Err: err})
	case g.allEnded() && !a.running:
		a.end(err)
	}
	event := a.job.event("elements-refused", fmt.Sprintf("gang %s: elements %v will not run: %s", g.state.Ask.Name, ranges, err.What))
	a.h.goRun(func(context.Context) { a.h.persist(a.job, event) })
}

// elementExpired ends an element whose walltime is over: its coordinator has the
// grace to end it, then its executors go. h.mu is held.
func (g *gangRun) elementExpired(act gang.Expire) {
	h := g.attempt.h
	if !g.holds(act.Lease) {
		return
	}
	grace := max(h.cfg.Grace, time.Duration(g.state.Ask.Grace))
	g.warn(core.GiveWay{Gang: g.state.Ask.Name, Until: now().Add(grace), Reason: "its walltime is over", Final: true})
	g.do(func(ctx context.Context) {
		if !pause(ctx, grace) {
			return
		}
		h.mu.Lock()
		members := slices.Clone(g.members)
		h.mu.Unlock()
		for _, m := range members {
			h.goRun(func(context.Context) { h.lose(m, "its walltime is over", false) })
		}
	})
}

// mark begins the lines of an element in the job's log: "[17] ". It needs no lock.
func (g *gangRun) mark() string {
	_, index, element := core.ElementOf(g.state.Ask.Name)
	if !element {
		return ""
	}
	return fmt.Sprintf("[%d] ", index)
}

// arraysEnded tells how the elements of a job's arrays ended.
func (r *record) arraysEnded(at int64) []gang.ElementsEnded {
	var list []gang.ElementsEnded
	for _, ask := range r.Plan.Gangs {
		e := r.Arrays[ask.Name]
		a, err := core.ParseArray(ask.Array)
		if e == nil || err != nil {
			continue
		}
		list = append(list, gang.ElementsEnded{Now: at, Gang: gang.IDOf(r.Job.ID, ask.Name), OK: a.Indexes(e.OK), Failed: a.Indexes(e.Failed), Over: a})
	}
	return list
}
