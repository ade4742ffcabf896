package calendar

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Calendar holds the schedules. It is not safe for concurrent use.
type Calendar struct {
	zones   Zones
	entries map[string]*entry
	fresh   map[string]bool // entries that this Calendar copied in this step
	result  Result
}

// New makes a calendar without a schedule. zones must answer the same for a
// name each time.
func New(zones Zones) *Calendar {
	return &Calendar{zones: zones, entries: map[string]*entry{}}
}

// Clone is a calendar that can go another way from here. It costs as much as
// there are schedules.
func (c *Calendar) Clone() *Calendar {
	return &Calendar{zones: c.zones, entries: maps.Clone(c.entries)}
}

// Row is what is to be kept of a schedule that Step named.
func (c *Calendar) Row(name string) []byte { return c.entries[name].encode() }

// Restore takes back a row. A schedule that cannot be read any more, because its
// time zone is gone, is there and paused.
func (c *Calendar) Restore(row []byte) error {
	e := new(entry)
	if err := json.Unmarshal(row, e); err != nil {
		return core.Errorf(core.Internal, "read a schedule: %v", err)
	}
	if !e.Gone {
		var faults []core.Diagnostic
		if e.trigger, faults = e.Schedule.compile(c.zones); len(faults) > 0 {
			e.Paused, e.Why = true, faults[0].String()
		}
	}
	e.aim()
	c.entries[e.Schedule.Name] = e
	return nil
}

// Outstanding is what has been asked for and may not have been done.
func (c *Calendar) Outstanding() []Action {
	var list []Action
	for _, name := range c.names() {
		e := c.entries[name]
		for _, g := range e.Running {
			if g.Again == 0 {
				list = append(list, Submit{name, g.Job, c.doc(e, &g)})
			}
		}
		for _, g := range e.Running {
			if g.Again == 0 && g.Ending != "" {
				list = append(list, Cancel{name, g.Job, g.Ending})
			}
		}
	}
	return list
}

// names are those of all entries, sorted.
func (c *Calendar) names() []string { return slices.Sorted(maps.Keys(c.entries)) }

// Next is when Step wants a Tick, in Unix milliseconds; 0: not by itself.
func (c *Calendar) Next() int64 {
	next := int64(0)
	sooner := func(t int64) {
		if t != 0 && (next == 0 || t < next) {
			next = t
		}
	}
	for _, e := range c.entries {
		if !e.Paused {
			sooner(e.due * 1000)
		}
		for _, g := range e.Running {
			if g.Ending == "" {
				sooner(cmp.Or(g.Again, g.Deadline))
			}
		}
	}
	return next
}

// Step takes an event. After an error, which is a *core.Error for the event's
// author, nothing has changed.
func (c *Calendar) Step(ev Event) (Result, error) {
	c.fresh, c.result = map[string]bool{}, Result{}
	var err error
	switch ev := ev.(type) {
	case Put:
		err = c.put(ev)
	case Delete:
		err = c.delete(ev)
	case Pause:
		err = c.change(ev.Name, func(e *entry) { e.Paused, e.Why = true, "" })
	case Resume:
		err = c.change(ev.Name, func(e *entry) { c.resume(e, ev.Now) })
	case Run:
		err = c.run(ev)
	case Tick:
		c.tick(ev.Now)
	case JobEnded:
		c.jobEnded(ev)
	}
	slices.Sort(c.result.Changed)
	return c.result, err
}

// edit is an entry to change.
func (c *Calendar) edit(name string) *entry {
	if !c.fresh[name] {
		c.fresh[name] = true
		c.entries[name] = c.entries[name].clone()
		c.result.Changed = append(c.result.Changed, name)
	}
	return c.entries[name]
}

// known is the entry of a schedule that is there.
func (c *Calendar) known(name string) (*entry, error) {
	if e := c.entries[name]; e != nil && !e.Gone {
		return e, nil
	}
	return nil, core.Errorf(core.NotFound, "no schedule %q", name).Do("`capstan schedule list` shows those there are")
}

func (c *Calendar) change(name string, do func(*entry)) error {
	if _, err := c.known(name); err != nil {
		return err
	}
	do(c.edit(name))
	return nil
}

// put checks all before it changes anything.
func (c *Calendar) put(ev Put) error {
	s := ev.Schedule
	t, faults := s.compile(c.zones)
	if len(faults) > 0 {
		return &core.Error{Kind: core.Invalid, What: "the schedule does not make sense", Diagnostics: faults}
	}
	if err := c.checkEdges(&s); err != nil {
		return err
	}
	old := c.entries[s.Name]
	if old == nil {
		c.entries[s.Name] = &entry{Schedule: Schedule{Name: s.Name}, Gone: true}
	} else if !old.Gone && same(old.Schedule, s) {
		return nil
	}
	e := c.edit(s.Name)
	moved := e.Gone || s.When() != e.Schedule.When() || !s.Start.Equal(e.Schedule.Start) || !s.End.Equal(e.Schedule.End)
	if e.Gone {
		e.Paused, e.Why = false, ""
	}
	e.Gone, e.Schedule, e.trigger = false, s, t
	e.Paused = e.Paused || s.Paused
	if moved {
		e.Waiting = nil
		e.Mark = max(e.Mark, ev.Now/1000)
		e.Arrived = slices.DeleteFunc(e.Arrived, func(p string) bool { return s.parent(p) == nil })
	}
	e.aim()
	return nil
}

// same says whether two schedules mean the same.
func same(a, b Schedule) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && string(x) == string(y)
}

func (c *Calendar) delete(ev Delete) error {
	if _, err := c.known(ev.Name); err != nil {
		return err
	}
	children := c.children(ev.Name)
	if len(children) > 0 && !ev.Force {
		return core.Errorf(core.Conflict, "schedule %s is a parent of %s", ev.Name, strings.Join(children, ", ")).
			Do("delete them first, put them without it, or delete with --force, which takes the edges away")
	}
	for _, name := range children {
		e := c.edit(name)
		e.Schedule.After = slices.DeleteFunc(slices.Clone(e.Schedule.After), func(p Edge) bool { return p.Schedule == ev.Name })
		e.Arrived = slices.DeleteFunc(e.Arrived, func(p string) bool { return p == ev.Name })
		if len(e.Schedule.After) == 0 {
			e.Paused, e.Why = true, "its last parent, "+ev.Name+", was deleted"
		}
	}
	e := c.edit(ev.Name)
	*e = entry{Schedule: Schedule{Name: ev.Name}, Gone: true, Mark: max(e.Mark, ev.Now/1000), Rounds: e.Rounds, Wishes: e.Wishes}
	return nil
}

func (c *Calendar) resume(e *entry, now int64) {
	e.Paused, e.Why = false, ""
	if e.Schedule.CatchUp == "none" {
		e.Mark = max(e.Mark, now/1000)
		e.aim()
	}
	c.elapse(e, now)
	c.arrive(e, now)
	c.advance(e, now)
}

func (c *Calendar) run(ev Run) error {
	e, err := c.known(ev.Name)
	if err != nil {
		return err
	}
	if o := e.Schedule.overlap(); o == "skip" && len(e.Running)+len(e.Waiting) > 0 {
		return core.Errorf(core.Conflict, "schedule %s has a run that still goes on", ev.Name).
			Do("wait for it, cancel it, or give the schedule another overlap")
	} else if len(e.Waiting) >= maxWaiting || o == "allow" && len(e.Running) >= maxRunning {
		return core.Errorf(core.Conflict, "schedule %s has %d runs already", ev.Name, len(e.Running)+len(e.Waiting)).Do("wait for some of them")
	}
	e = c.edit(ev.Name)
	e.Wishes++
	c.result.Firing = e.id("m", e.Wishes)
	c.offer(e, Firing{ID: c.result.Firing}, ev.Now, false)
	return nil
}

// checkEdges makes sure that the parents of s are there and that s is not one
// of their ancestors (law K6).
func (c *Calendar) checkEdges(s *Schedule) error {
	var faults []core.Diagnostic
	for i, p := range s.After {
		d := core.Diagnostic{Path: fmt.Sprintf("spec.after.%d.schedule", i)}
		if _, err := c.known(p.Schedule); err != nil && p.Schedule != s.Name {
			d.Message = fmt.Sprintf("there is no schedule %q", p.Schedule)
			d.Remedy = "put it first; `capstan schedule list` shows those there are"
		} else if path := c.pathTo(s.Name, p.Schedule, map[string]bool{}); path != nil {
			d.Message = "the schedules would wait for one another: " + strings.Join(append([]string{s.Name}, path...), " after ")
		} else {
			continue
		}
		faults = append(faults, d)
	}
	if len(faults) == 0 {
		return nil
	}
	return &core.Error{Kind: core.Invalid, What: "the schedule cannot come after those", Diagnostics: faults}
}

// pathTo is the way from a schedule up to an ancestor; nil if it is none.
func (c *Calendar) pathTo(ancestor, from string, seen map[string]bool) []string {
	if from == ancestor {
		return []string{from}
	}
	e := c.entries[from]
	if e == nil || seen[from] {
		return nil
	}
	seen[from] = true
	for _, p := range e.Schedule.After {
		if path := c.pathTo(ancestor, p.Schedule, seen); path != nil {
			return append([]string{from}, path...)
		}
	}
	return nil
}

// children are the schedules that come after one, sorted.
func (c *Calendar) children(name string) []string {
	var list []string
	for child, e := range c.entries {
		if e.Schedule.parent(name) != nil {
			list = append(list, child)
		}
	}
	slices.Sort(list)
	return list
}
