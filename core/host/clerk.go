package host

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/calendar"
	"github.com/capstan-run/capstan/core/journal"
)

// clerk keeps the schedules: it tells the calendar what happens, writes down
// what that changes, and then submits and cancels jobs as it says (law H11). An
// occasional host's does nothing of itself: the next one that stays goes on.
type clerk struct {
	h *Host
	// cal is not changed any more: a step makes the next one.
	cal atomic.Pointer[calendar.Calendar]
	due chan struct{} // of one: what the calendar waits for has changed

	mu sync.Mutex // of whoever steps; it is taken before Host.mu
	// submitting has the jobs that are being submitted, so that a cancel does
	// not come before its job.
	submitting map[core.JobID]chan struct{}
}

// schedulePrefix is what the journal's keys of schedules begin with.
const schedulePrefix = "schedule/"

// newClerk reads the schedules from h's journal.
func newClerk(ctx context.Context, h *Host) (*clerk, error) {
	c := &clerk{h: h, due: make(chan struct{}, 1), submitting: map[core.JobID]chan struct{}{}}
	cal := calendar.New(time.LoadLocation)
	rows, err := h.journal.MetaUnder(ctx, schedulePrefix)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		if err := cal.Restore(rows[key]); err != nil {
			return nil, core.Errorf(core.Internal, "%v", err).At("the journal's " + key)
		}
	}
	c.cal.Store(cal)
	return c, nil
}

// calendar is the schedules as they stand, to look at.
func (c *clerk) calendar() *calendar.Calendar { return c.cal.Load() }

// step tells the calendar of an event, which is durable when step returns, and
// begins to do what follows.
func (c *clerk) step(ctx context.Context, ev calendar.Event) (calendar.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.cal.Load().Clone()
	r, err := next.Step(ev)
	if err != nil || len(r.Changed) == 0 {
		return r, err
	}
	tx := journal.Tx{Meta: map[string][]byte{}}
	for _, name := range r.Changed {
		tx.Meta[schedulePrefix+name] = next.Row(name)
	}
	if err := c.h.journal.Commit(context.WithoutCancel(ctx), tx); err != nil {
		return r, err
	}
	c.cal.Store(next)
	c.act(r.Actions)
	select {
	case c.due <- struct{}{}:
	default:
	}
	return r, nil
}

// insist is step for what must not get lost: a full disk holds it up.
func (c *clerk) insist(ctx context.Context, ev calendar.Event) {
	for {
		_, err := c.step(ctx, ev)
		if err == nil || errors.Is(err, journal.ErrClosed) {
			return
		}
		c.h.log.Warn("write down a schedule", "err", err)
		if !pause(ctx, time.Second) {
			return
		}
	}
}

// tick lets time pass for the calendar when something is due there.
func (c *clerk) tick(ctx context.Context) {
	for {
		var alarm <-chan time.Time // never, if nothing is due
		if due := c.calendar().Next(); due != 0 {
			alarm = time.After(min(time.UnixMilli(due).Sub(now()), lookAgain))
		}
		select {
		case <-ctx.Done():
			return
		case <-c.due:
		case <-alarm:
			c.insist(ctx, calendar.Tick{Now: now().UnixMilli()})
		}
	}
}

// ended tells the calendar of a job's end, if it waits for that.
func (c *clerk) ended(ctx context.Context, id core.JobID, state core.State, why string) {
	if !c.h.cfg.Occasional && c.calendar().Awaited(id) {
		c.insist(ctx, calendar.JobEnded{Now: now().UnixMilli(), Job: id, State: state, Why: why})
	}
}

// resume does again what a former life of the host may not have done.
func (c *clerk) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.act(c.calendar().Outstanding())
}

// act begins to carry actions out. c.mu is held.
func (c *clerk) act(list []calendar.Action) {
	for _, a := range list {
		switch a := a.(type) {
		case calendar.Submit:
			done := make(chan struct{})
			c.submitting[a.Job] = done
			c.h.goRun(func(ctx context.Context) {
				c.submit(ctx, a)
				c.mu.Lock()
				delete(c.submitting, a.Job)
				c.mu.Unlock()
				close(done)
			})
		case calendar.Cancel:
			done := c.submitting[a.Job]
			c.h.goRun(func(ctx context.Context) { c.cancel(ctx, a, done) })
		}
	}
}

// submit submits a firing's job, by the road that a user's takes. A job of that
// id that is there already is the firing's: it was submitted in a former life,
// perhaps from an older document. What the journal has no room for is tried
// again; a host that shuts down leaves it to the next.
func (c *clerk) submit(ctx context.Context, a calendar.Submit) {
	for !c.known(ctx, a.Job) {
		id, _, _, err := c.h.Submit(ctx, a.Doc, string(a.Job), "schedule "+a.Schedule)
		switch {
		case err == nil:
			c.h.log.Info("schedule fired", "schedule", a.Schedule, "job", id)
		case ctx.Err() != nil || core.KindOf(err) == core.HostLost:
			return
		case errors.Is(err, journal.ErrFull):
			if !pause(ctx, time.Second) {
				return
			}
		default:
			c.h.log.Warn("a schedule's job was refused", "schedule", a.Schedule, "job", a.Job, "err", err)
			c.ended(ctx, a.Job, calendar.Refused, err.Error())
			return
		}
	}
}

// known says whether a job is there, and tells the calendar if it has ended:
// the host may have gone away between the two.
func (c *clerk) known(ctx context.Context, id core.JobID) bool {
	h := c.h
	h.mu.Lock()
	j := h.jobs[id]
	state, why := core.State(""), ""
	if j != nil {
		state = j.rec.Job.State
		if o := j.rec.Job.Outcome; o != nil {
			why = o.What
		}
	}
	h.mu.Unlock()
	if state.Final() {
		c.ended(ctx, id, state, why)
	}
	return j != nil
}

// cancel asks a firing's job to end once it is submitted.
func (c *clerk) cancel(ctx context.Context, a calendar.Cancel, submitted <-chan struct{}) {
	if submitted != nil {
		select {
		case <-submitted:
		case <-ctx.Done():
			return
		}
	}
	h := c.h
	h.mu.Lock()
	j := h.jobs[a.Job]
	asked := j != nil && h.cancelLocked(j, core.Errorf(core.Cancelled, "cancelled by schedule %s: %s", a.Schedule, a.Why))
	h.mu.Unlock()
	if asked {
		h.persistPatiently(ctx, j)
	}
}
