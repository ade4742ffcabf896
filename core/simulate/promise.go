package simulate

import (
	"cmp"
	"slices"
)

// promise is backfilling under promises, the policy that the kernel's came from,
// on a machine that is only a number of CPUs.
//
// The oldest jobs, up to depth, each have a promise: a latest start, quoted
// once. It is where the job stands in the plan by walltimes when it is quoted,
// and slack walltimes of its own. What is left of the slack is room to let
// others pass: jobs start in the order of byShare as long as a plan remains
// that keeps every promise. The first few in that order have a reservation
// besides, so that narrow jobs do not push wide ones to the end of their slack.
// A job that has been passed by more than its share of work stands before all
// that have not, so that nobody starves however long the queue is.
type promise struct {
	depth, heads int
	slack        int64 // in walltimes of the job
	budget       int64 // milliseconds of the whole machine's work that may pass a job
}

// standing is what promise knows of a waiting entry.
type standing struct {
	promised bool
	latest   int64 // the promise
	planned  int64 // its start in the last plan
	passed   int64 // work that came later and started before it, in milli-CPU milliseconds
}

// lay plans entries in their order on what is free, and reports whether every
// promise is kept.
func lay(free *profile, entries []*entry) (starts []int64, kept bool) {
	free, kept = free.clone(), true
	starts = make([]int64, len(entries))
	for i, e := range entries {
		wall := e.Job.Request.Walltime
		starts[i] = free.earliest(e.Job.Width(), wall)
		free.take(starts[i], e.Job.Width(), wall)
		kept = kept && (!e.standing.promised || starts[i] <= e.standing.latest)
	}
	return starts, kept
}

// settle makes starts the plan.
func settle(entries []*entry, starts []int64) {
	for i, e := range entries {
		e.standing.planned = starts[i]
	}
}

func (p *promise) pass(s *site) {
	free := s.profile()
	p.quote(s, free)
	r := round{s: s, p: p, free: free, line: p.line(s)}
	r.reserve()
	r.start()
}

// quote promises a start to the oldest that have none, behind all that is
// promised already.
//
// The plan in order of planned starts keeps every promise: each job finds its
// planned time free, because all before it end no later than planned.
func (p *promise) quote(s *site, free *profile) {
	window := promised(s.queue)
	for _, e := range s.queue {
		if len(window) >= p.depth {
			break
		}
		if !e.standing.promised {
			window = append(window, e)
		}
	}
	starts, kept := lay(free, window)
	if !kept {
		panic("simulate: the standing plan breaks a promise")
	}
	settle(window, starts)
	for _, e := range window {
		if v := &e.standing; !v.promised {
			v.promised, v.latest = true, v.planned+p.slack*e.Job.Request.Walltime
			e.quote(v.latest)
		}
	}
}

// promised is the entries with a promise, in order of planned starts.
func promised(entries []*entry) []*entry {
	var out []*entry
	for _, e := range entries {
		if e.standing.promised {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b *entry) int { return cmp.Compare(a.standing.planned, b.standing.planned) })
	return out
}

// line is who goes first: who was passed too often by arrival, then by share.
func (p *promise) line(s *site) []*entry {
	line := by(s.queue, func(e *entry) int64 { return byShare(s, e) })
	slices.SortStableFunc(line, func(a, b *entry) int {
		x, y := p.old(s, a), p.old(s, b)
		switch {
		case x && y:
			return cmp.Compare(a.number, b.number)
		case x:
			return -1
		case y:
			return 1
		}
		return 0
	})
	return line
}

// old reports whether e was passed by as much work as it has to bear.
func (p *promise) old(s *site, e *entry) bool { return e.standing.passed/p.budget >= s.total }

// round is one pass of promise.
type round struct {
	s    *site
	p    *promise
	free *profile // by walltimes, with what this pass started
	line []*entry

	heads []*entry // with reservations
	held  *profile // free, less the reservations

	dead []shape // that were tried in vain
}

// shape is what a job takes.
type shape struct{ width, wall int64 }

// order is the plan without one entry: reservations first, then the others.
func (r *round) order(without *entry) []*entry {
	var out []*entry
	for _, e := range r.heads {
		if e != without {
			out = append(out, e)
		}
	}
	for _, e := range promised(r.s.queue) {
		if e != without && !slices.Contains(r.heads, e) {
			out = append(out, e)
		}
	}
	return out
}

// reserve gives the first in line reservations, as many as the promises allow.
func (r *round) reserve() {
	for _, e := range r.line {
		if len(r.heads) < r.p.heads && e.standing.promised {
			r.heads = append(r.heads, e)
		}
	}
	for {
		order := r.order(nil)
		starts, kept := lay(r.free, order)
		if kept {
			settle(order, starts)
			break
		}
		r.heads = r.heads[:len(r.heads)-1] // without any it is the standing plan, which keeps all
	}
	r.hold()
}

func (r *round) hold() {
	r.held = r.free.clone()
	for _, e := range r.heads {
		wall := e.Job.Request.Walltime
		r.held.take(r.held.earliest(e.Job.Width(), wall), e.Job.Width(), wall)
	}
}

// start starts who can, in line, and then whom the plan has for now.
func (r *round) start() {
	for _, e := range r.line {
		if e.Job.Width() <= r.s.free && r.fits(e) && !r.hopeless(e) {
			r.try(e)
		}
	}
	for _, e := range promised(r.s.queue) {
		if e.standing.planned == r.s.now {
			r.s.start(e)
			r.p.charge(r.s, e)
		}
	}
}

// fits reports whether e can run now beside the reservations of others.
func (r *round) fits(e *entry) bool {
	free := r.held
	if slices.Contains(r.heads, e) {
		free = r.free
	}
	return free.earliest(e.Job.Width(), e.Job.Request.Walltime) == r.s.now
}

// hopeless reports whether something no larger was tried in vain.
func (r *round) hopeless(e *entry) bool {
	return slices.ContainsFunc(r.dead, func(d shape) bool {
		return e.Job.Width() >= d.width && e.Job.Request.Walltime >= d.wall
	})
}

// try starts e if a plan for all others remains that keeps every promise.
func (r *round) try(e *entry) {
	width, wall := e.Job.Width(), e.Job.Request.Walltime
	free, order := r.free.clone(), r.order(e)
	free.take(r.s.now, width, wall)
	starts, kept := lay(free, order)
	if !kept {
		r.dead = append(r.dead, shape{width, wall})
		return
	}
	settle(order, starts)
	r.heads = slices.DeleteFunc(r.heads, func(h *entry) bool { return h == e })
	r.free = free
	r.s.start(e)
	r.p.charge(r.s, e)
	r.hold()
}

// charge notes for all who came before e that its work passed them.
func (p *promise) charge(s *site, e *entry) {
	for _, q := range s.queue {
		if q.number > e.number {
			break
		}
		q.standing.passed += e.Job.Width() * e.predicted
	}
}
