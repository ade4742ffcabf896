package calendar

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/capstan-run/capstan/core"
)

// entry is a schedule and where it stands. A Calendar shares it with its clones,
// so it is copied before it changes: see Calendar.edit.
type entry struct {
	Schedule Schedule `json:"schedule"`
	// Gone says that the schedule was deleted. What stays are its name, its mark
	// and its numbers (law K2).
	Gone   bool   `json:"gone,omitempty"`
	Paused bool   `json:"paused,omitempty"`
	Why    string `json:"why,omitempty"` // it is paused, if nobody asked for it
	// Mark is a Unix second: the last due time that was dealt with, or when the
	// schedule was put.
	Mark    int64    `json:"mark"`
	Rounds  int64    `json:"rounds,omitempty"`
	Wishes  int64    `json:"wishes,omitempty"`
	Arrived []string `json:"arrived,omitempty"` // parents, sorted
	Waiting []Firing `json:"waiting,omitempty"`
	Running []Going  `json:"running,omitempty"`
	Past    []Ended  `json:"past,omitempty"` // the last ones, oldest first

	trigger trigger
	due     int64 // Unix second of the next firing; 0 if there is none
}

// Firing is one time at which a schedule fires.
type Firing struct {
	ID  string `json:"id"`            // that of its first job
	Due int64  `json:"due,omitempty"` // Unix second, for a due time
}

// Going is a firing that has a job, or waits for its next try.
type Going struct {
	Firing
	Job      core.JobID `json:"job"`
	Try      int        `json:"try"`                // from 1
	Since    int64      `json:"since"`              // Unix ms of this try
	First    int64      `json:"first,omitempty"`    // Unix ms of the first try
	Deadline int64      `json:"deadline,omitempty"` // Unix ms; 0: none
	Again    int64      `json:"again,omitempty"`    // Unix ms of the next try, while it waits for that
	Ending   string     `json:"ending,omitempty"`   // why it was cancelled
}

// Ended is what became of a firing.
type Ended struct {
	Firing
	Job core.JobID `json:"job,omitempty"`
	// State is the job's last one, Refused, "skipped" or "missed".
	State core.State `json:"state"`
	At    int64      `json:"at"` // Unix ms
	Why   string     `json:"why,omitempty"`
}

const (
	skipped core.State = "skipped"
	missed  core.State = "missed"
)

// clone copies what edits change in place.
func (e *entry) clone() *entry {
	c := *e
	c.Arrived, c.Waiting, c.Running, c.Past = slices.Clone(e.Arrived), slices.Clone(e.Waiting), slices.Clone(e.Running), slices.Clone(e.Past)
	return &c
}

// aim finds the next due time.
func (e *entry) aim() {
	e.due = 0
	if e.trigger != nil && !e.Gone {
		e.due, _ = e.following(e.Mark)
	}
}

// following is the first due time after t.
func (e *entry) following(t int64) (int64, bool) {
	if s := e.Schedule.Start; !s.IsZero() {
		t = max(t, s.Unix()-1)
	}
	if e.trigger == nil {
		return 0, false
	}
	n, ok := e.trigger.next(t)
	if !ok || n > maxInstant || !e.Schedule.End.IsZero() && n > e.Schedule.End.Unix() {
		return 0, false
	}
	return n, true
}

// overdue takes the due times up to now (Unix seconds), of which there is one at
// least: those that fire, oldest first, and the last one that does not, 0 if
// all do.
func (e *entry) overdue(now int64) (fire []int64, passed int64) {
	if end := e.Schedule.End; !end.IsZero() {
		now = min(now, end.Unix())
	}
	t, limit := now, e.Schedule.catchUp()
	last, _ := e.trigger.last(t)
	if limit == 0 && now-last <= onTime {
		limit = 1
	}
	for {
		d, ok := e.trigger.last(t)
		if !ok || d < e.due {
			break
		}
		if len(fire) == limit {
			passed = d
			break
		}
		fire = append(fire, d)
		t = d - 1
	}
	e.Mark = max(last, e.due)
	slices.Reverse(fire)
	return fire, passed
}

// remember notes an end.
func (e *entry) remember(p Ended) {
	e.Past = append(e.Past, p)
	e.Past = e.Past[max(0, len(e.Past)-maxPast):]
}

// going is the index of a job among those that run, -1 if it is none of them.
func (e *entry) going(job core.JobID) int {
	return slices.IndexFunc(e.Running, func(g Going) bool { return g.Job == job && g.Again == 0 })
}

// id makes a firing's.
func (e *entry) id(kind string, n int64) string {
	return e.Schedule.Name + "-" + kind + strconv.FormatInt(n, 10)
}

// encode is e as its row.
func (e *entry) encode() []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic("calendar: an entry does not marshal: " + err.Error())
	}
	return b
}
