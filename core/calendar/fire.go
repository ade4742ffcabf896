package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
)

// tick does what is due. Schedules go by name.
func (c *Calendar) tick(now int64) {
	var due []string
	for name, e := range c.entries {
		if e.owes(now) {
			due = append(due, name)
		}
	}
	slices.Sort(due)
	for _, name := range due {
		e := c.edit(name)
		c.enforce(e, now)
		if !e.Paused {
			c.elapse(e, now)
		}
	}
}

// owes says whether time asks something of e.
func (e *entry) owes(now int64) bool {
	if e.due != 0 && !e.Paused && e.due*1000 <= now {
		return true
	}
	return slices.ContainsFunc(e.Running, func(g Going) bool { return g.late(now) || g.again(now) })
}

func (g *Going) late(now int64) bool {
	return g.Again == 0 && g.Deadline != 0 && g.Deadline <= now && g.Ending == ""
}

func (g *Going) again(now int64) bool { return g.Again != 0 && g.Again <= now }

// enforce ends what ran too long and tries again what failed.
func (c *Calendar) enforce(e *entry, now int64) {
	for i := range e.Running {
		g := &e.Running[i]
		switch {
		case g.late(now):
			c.end(e, g, fmt.Sprintf("its schedule's timeout of %s is over", time.Duration(e.Schedule.Timeout)))
		case g.again(now):
			g.Try++
			c.submit(e, g, now)
		}
	}
}

// elapse fires what has become due.
func (c *Calendar) elapse(e *entry, now int64) {
	if e.due == 0 || e.due*1000 > now {
		return
	}
	fire, passed := e.overdue(now / 1000)
	if passed != 0 {
		e.remember(Ended{Firing: Firing{ID: e.id("", passed), Due: passed}, State: missed, At: now, Why: "and those before it: nobody looked"})
	}
	if e.Schedule.overlap() == "cancel" && len(fire) > 1 {
		fire = fire[len(fire)-1:]
	}
	for i, d := range fire {
		c.offer(e, Firing{ID: e.id("", d), Due: d}, now, i > 0)
	}
	e.aim()
}

// offer starts a firing, or does with it what overlap says. Those that are late
// together do not count as overlapping: they come one after the other.
func (c *Calendar) offer(e *entry, f Firing, now int64, together bool) {
	overlap := e.Schedule.overlap()
	skip := func(why string) {
		e.remember(Ended{Firing: f, State: skipped, At: now, Why: why})
	}
	switch {
	case overlap == "allow" && len(e.Running) < maxRunning, len(e.Running)+len(e.Waiting) == 0:
		c.start(e, f, now)
	case overlap == "allow":
		skip(fmt.Sprintf("%d run already", maxRunning))
	case overlap == "cancel":
		for _, w := range e.Waiting {
			e.remember(Ended{Firing: w, State: skipped, At: now, Why: f.ID + givesWay})
		}
		e.Waiting = []Firing{f}
		c.supersede(e, f.ID, now)
	case overlap == "skip" && !together:
		skip("the one before still runs")
	case len(e.Waiting) >= maxWaiting:
		skip(fmt.Sprintf("%d wait already", maxWaiting))
	default:
		e.Waiting = append(e.Waiting, f)
	}
}

// givesWay ends the reason why a firing was cancelled for a later one.
const givesWay = " is due"

// supersede ends what runs in favour of the firing called by.
func (c *Calendar) supersede(e *entry, by string, now int64) {
	for i := len(e.Running) - 1; i >= 0; i-- {
		g := &e.Running[i]
		switch {
		case g.Again != 0:
			c.conclude(e, i, core.Canceled, by+givesWay, now)
		case g.Ending == "":
			c.end(e, g, by+givesWay)
		}
	}
	c.advance(e, now)
}

// start makes a firing a job.
func (c *Calendar) start(e *entry, f Firing, now int64) {
	e.Running = append(e.Running, Going{Firing: f, Try: 1})
	c.submit(e, &e.Running[len(e.Running)-1], now)
}

// submit begins a try.
func (c *Calendar) submit(e *entry, g *Going, now int64) {
	g.Job, g.Since, g.Again, g.Deadline = core.JobID(g.ID), now, 0, 0
	if g.Try == 1 {
		g.First = now
	} else {
		g.Job += core.JobID(fmt.Sprintf("-%d", g.Try))
	}
	if t := e.Schedule.Timeout; t > 0 {
		g.Deadline = now + time.Duration(t).Milliseconds()
	}
	c.result.Actions = append(c.result.Actions, Submit{e.Schedule.Name, g.Job, c.doc(e, g)})
}

// end cancels a job.
func (c *Calendar) end(e *entry, g *Going, why string) {
	g.Ending = why
	c.result.Actions = append(c.result.Actions, Cancel{e.Schedule.Name, g.Job, why})
}

// advance starts what has waited for its turn.
func (c *Calendar) advance(e *entry, now int64) {
	for !e.Paused && len(e.Running) == 0 && len(e.Waiting) > 0 {
		f := e.Waiting[0]
		e.Waiting = slices.Delete(e.Waiting, 0, 1)
		c.start(e, f, now)
	}
}

// jobEnded takes the end of a job, or tries its firing again.
func (c *Calendar) jobEnded(ev JobEnded) {
	name := c.owner(ev.Job)
	if name == "" {
		return
	}
	e := c.edit(name)
	i := e.going(ev.Job)
	g := &e.Running[i]
	if e.triesAgain(g, ev.State) {
		g.Again, g.Ending, g.Deadline = ev.Now+time.Duration(e.Schedule.Retry.Wait).Milliseconds(), "", 0
		c.enforce(e, ev.Now)
		return
	}
	c.conclude(e, i, ev.State, ev.Why, ev.Now)
	c.advance(e, ev.Now)
}

// triesAgain says whether a firing whose job ended so has another try. What a
// user cancelled has none, nor what gave way to a later firing.
func (e *entry) triesAgain(g *Going, state core.State) bool {
	cancelled := state == core.Canceled && g.Ending == "" || strings.HasSuffix(g.Ending, givesWay)
	return state != core.Succeeded && !cancelled && g.Try <= e.Schedule.Retry.Times
}

// owner is the schedule that a job belongs to, "" if it is nobody's: the id is
// NAME-FIRING or NAME-FIRING-TRY.
func (c *Calendar) owner(job core.JobID) string {
	name := string(job)
	for range 2 {
		i := strings.LastIndexByte(name, '-')
		if i < 0 {
			return ""
		}
		name = name[:i]
		if e := c.entries[name]; e != nil && e.going(job) >= 0 {
			return name
		}
	}
	return ""
}

// conclude ends the i-th running firing for good, and lets the edges to the
// children arrive.
func (c *Calendar) conclude(e *entry, i int, state core.State, why string, now int64) {
	g := e.Running[i]
	if g.Ending != "" {
		why = g.Ending
	}
	e.Running = slices.Delete(e.Running, i, i+1)
	ok := state == core.Succeeded
	e.remember(Ended{Firing: g.Firing, Job: g.Job, State: state, At: now, Why: why})
	if !ok && e.Schedule.OnFailure == "pause" {
		e.Paused, e.Why = true, fmt.Sprintf("%s %s, and onFailure says pause", g.Job, state)
	}
	for _, name := range c.children(e.Schedule.Name) {
		if child := c.entries[name]; ok || child.Schedule.parent(e.Schedule.Name).Ended == "any" {
			child = c.edit(name)
			if at, found := slices.BinarySearch(child.Arrived, e.Schedule.Name); !found {
				child.Arrived = slices.Insert(child.Arrived, at, e.Schedule.Name)
			}
			c.arrive(child, now)
		}
	}
}

// arrive fires a child whose edges have all arrived (law K4).
func (c *Calendar) arrive(e *entry, now int64) {
	if e.Paused || len(e.Schedule.After) == 0 || len(e.Arrived) < len(e.Schedule.After) {
		return
	}
	e.Arrived = nil
	e.Rounds++
	c.offer(e, Firing{ID: e.id("r", e.Rounds)}, now, false)
}
