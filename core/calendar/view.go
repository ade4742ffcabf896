package calendar

import (
	"slices"
	"time"

	"github.com/capstan-run/capstan/core"
)

// View is a schedule as people see it.
type View struct {
	Name string `json:"name"`
	When string `json:"when"` // in words
	// State is "active", "paused", or "done" when no firing is to come.
	State   string     `json:"state"`
	Why     string     `json:"why,omitempty"` // it is paused, if nobody asked for it
	Next    time.Time  `json:"next,omitzero"`
	Arrived []string   `json:"arrived,omitempty"` // parents that have ended since the last round
	Waiting []string   `json:"waiting,omitempty"` // firings
	Running []RunView  `json:"running,omitempty"`
	Past    []PastView `json:"past,omitempty"` // the last ones, newest first
	Spec    Schedule   `json:"spec"`
}

// RunView is a firing that has a job, or waits for its next try.
type RunView struct {
	Firing string     `json:"firing"`
	Job    core.JobID `json:"job"` // of the last try
	Try    int        `json:"try"`
	Since  time.Time  `json:"since"`
	Again  time.Time  `json:"again,omitzero"`   // of the next try
	Ending string     `json:"ending,omitempty"` // why it is being cancelled
}

// PastView is what became of a firing: see Ended.
type PastView struct {
	Firing string     `json:"firing"`
	Job    core.JobID `json:"job,omitempty"`
	State  core.State `json:"state"`
	At     time.Time  `json:"at"`
	Why    string     `json:"why,omitempty"`
}

// View shows one schedule. The error is of kind NotFound.
func (c *Calendar) View(name string) (View, error) {
	e, err := c.known(name)
	if err != nil {
		return View{}, err
	}
	v := View{Name: name, When: e.Schedule.When(), State: "active", Why: e.Why, Arrived: e.Arrived, Spec: e.Schedule}
	for _, g := range e.Running {
		v.Running = append(v.Running, RunView{g.ID, g.Job, g.Try, clock(g.Since), clock(g.Again), g.Ending})
	}
	for _, p := range slices.Backward(e.Past) {
		v.Past = append(v.Past, PastView{p.ID, p.Job, p.State, clock(p.At), p.Why})
	}
	for _, f := range e.Waiting {
		v.Waiting = append(v.Waiting, f.ID)
	}
	switch {
	case e.Paused:
		v.State = "paused"
	case e.due != 0:
		v.Next = time.Unix(e.due, 0).UTC()
	case len(e.Schedule.After) == 0 && len(e.Running)+len(e.Waiting) == 0:
		v.State = "done"
	}
	return v, nil
}

// clock is an event's time, zero for none.
func clock(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Names lists the schedules, sorted.
func (c *Calendar) Names() []string {
	return slices.DeleteFunc(c.names(), func(n string) bool { return c.entries[n].Gone })
}

// Upcoming is at most n of a schedule's due times after now and after the last
// one that was dealt with, paused or not.
func (c *Calendar) Upcoming(name string, now time.Time, n int) ([]time.Time, error) {
	e, err := c.known(name)
	if err != nil {
		return nil, err
	}
	var list []time.Time
	for t := max(e.Mark, now.Unix()); len(list) < n; {
		next, ok := e.following(t)
		if !ok {
			break
		}
		list, t = append(list, time.Unix(next, 0).UTC()), next
	}
	return list, nil
}

// Awaited says whether a job is one whose end Step is to be told of.
func (c *Calendar) Awaited(job core.JobID) bool { return c.owner(job) != "" }

// Docs calls f with the document of every schedule's job.
func (c *Calendar) Docs(f func(doc []byte)) {
	for _, name := range c.Names() {
		f(c.entries[name].Schedule.Job)
	}
}
