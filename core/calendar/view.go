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
	Next    *time.Time `json:"next,omitempty"`
	Arrived []string   `json:"arrived,omitempty"` // parents that have ended since the last round
	Waiting []string   `json:"waiting,omitempty"` // firings
	Running []Going    `json:"running,omitempty"`
	Past    []Ended    `json:"past,omitempty"` // the last ones, newest first
	Spec    Schedule   `json:"spec"`
}

// View shows one schedule. The error is of kind NotFound.
func (c *Calendar) View(name string) (View, error) {
	e, err := c.known(name)
	if err != nil {
		return View{}, err
	}
	v := View{Name: name, When: e.Schedule.When(), State: "active", Why: e.Why, Arrived: e.Arrived, Running: e.Running, Spec: e.Schedule}
	v.Past = slices.Clone(e.Past)
	slices.Reverse(v.Past)
	for _, f := range e.Waiting {
		v.Waiting = append(v.Waiting, f.ID)
	}
	switch {
	case e.Paused:
		v.State = "paused"
	case e.due != 0:
		next := time.Unix(e.due, 0).UTC()
		v.Next = &next
	case len(e.Schedule.After) == 0 && len(e.Running)+len(e.Waiting) == 0:
		v.State = "done"
	}
	return v, nil
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
