package calendar

import (
	_ "embed"
	"encoding/json"
	"slices"
	"time"

	"github.com/capstan-run/capstan/core"
)

// Schedule says when a job is due and what happens then. Exactly one of Cron,
// Repeat and After is set.
type Schedule struct {
	Name string `json:"name"` // as a job's: at most 40 bytes
	// Cron is five fields (minute, hour, day of the month, month, weekday), six
	// with the seconds first, or a word: @yearly, @monthly, @weekly, @daily,
	// @hourly. When both days are limited, one of them is enough.
	Cron string `json:"cron,omitempty"`
	// Repeat is an ISO 8601 repeating interval: see parseRepeat.
	Repeat string `json:"repeat,omitempty"`
	After  []Edge `json:"after,omitempty"`
	// Timezone is a name of the tz database. Default UTC.
	Timezone string `json:"timezone,omitempty"`
	// CatchUp says which of the times fire that passed while nobody looked:
	// "none", "last" (the default), or "all" (the last CatchUpMax, default 10).
	CatchUp    string `json:"catchUp,omitempty"`
	CatchUpMax int    `json:"catchUpMax,omitempty"`
	// Overlap says what becomes of a firing while an earlier one runs: "skip"
	// (the default for times), "queue" (the default after parents), "cancel" (the
	// earlier one is cancelled), "allow".
	Overlap string    `json:"overlap,omitempty"`
	Start   time.Time `json:"start,omitzero"` // no firing before
	End     time.Time `json:"end,omitzero"`   // none after
	Paused  bool      `json:"paused,omitempty"`
	// Timeout ends a job that is not over so long after it was submitted; its
	// walltime counts from its start. 0: none.
	Timeout core.Duration `json:"timeout,omitempty"`
	Retry   Retry         `json:"retry,omitzero"`
	// OnFailure is "continue" (the default) or "pause".
	OnFailure string `json:"onFailure,omitempty"`
	// Job is the whole document of the job, as JSON. Its strings may hold the
	// words of [Stamp].
	Job json.RawMessage `json:"job"`
}

// Edge is a parent of a schedule.
type Edge struct {
	Schedule string `json:"schedule"`
	// Ended is how its firing has to have ended: "ok" (the default) or "any".
	Ended string `json:"ended,omitempty"`
}

// Retry is how often a firing whose job failed is tried again.
type Retry struct {
	Times int           `json:"times,omitempty"` // further jobs
	Wait  core.Duration `json:"wait,omitempty"`  // before each
}

// Zones finds a time zone by its name in the tz database.
type Zones func(name string) (*time.Location, error)

//go:embed schema.json
var schema []byte

//go:embed example.yaml
var example string

// Kind is the kind of a schedule's document. No framework serves it.
const Kind = "Schedule"

// Describe is for documents of schedules what a framework's is for its jobs'.
func Describe() core.Description {
	return core.Description{Kind: Kind, Version: "1", Schema: schema, Example: example, Summary: "A job that is due again and again: by the clock, or after other schedules"}
}

// Check finds what the schema cannot say. It does not look for s's parents.
func Check(s *Schedule, zones Zones) []core.Diagnostic {
	_, faults := s.compile(zones)
	return faults
}

// CheckSpec is Check of a document of kind Schedule. What its schema refuses is
// left to that.
func CheckSpec(doc *core.Spec, zones Zones) []core.Diagnostic {
	s := Schedule{Name: doc.Metadata.Name}
	if json.Unmarshal(doc.Body, &s) != nil {
		return nil
	}
	return Check(&s, zones)
}

// trigger knows the times of a schedule, in Unix seconds.
type trigger interface {
	// next is the first time after t.
	next(t int64) (int64, bool)
	// last is the last time that is not after t.
	last(t int64) (int64, bool)
}

// compile makes the trigger of s, nil if it comes after others.
func (s *Schedule) compile(zones Zones) (t trigger, faults []core.Diagnostic) {
	bad := func(path, message, remedy string) {
		faults = append(faults, core.Diagnostic{Path: path, Message: message, Remedy: remedy})
	}
	zone, err := s.zone(zones)
	if err != nil {
		bad("spec.timezone", err.Error(), "a name of the tz database, such as Europe/Stockholm")
		zone = time.UTC
	}
	given := 0
	if s.Cron != "" {
		given++
		if t, err = parseCron(s.Cron, zone); err != nil {
			bad("spec.cron", err.Error(), "minute hour day month weekday, such as \"30 2 * * *\"")
		}
	}
	if s.Repeat != "" {
		given++
		if t, err = parseRepeat(s.Repeat, zone); err != nil {
			bad("spec.repeat", err.Error(), "R, a start and a period, such as R/2026-12-01T08:00:00Z/P1D")
		}
	}
	if len(s.After) > 0 {
		given++
		s.checkAfter(bad)
	}
	faults = append(faults, checkStamps(s.Job)...)
	if given != 1 {
		bad("spec", "want one of cron, repeat and after", "")
	}
	if !s.End.IsZero() && s.End.Before(s.Start) {
		bad("spec.end", "the end lies before the start", "")
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return t, nil
}

func (s *Schedule) checkAfter(bad func(path, message, remedy string)) {
	if !s.Start.IsZero() || !s.End.IsZero() || s.Timezone != "" || s.CatchUp != "" {
		bad("spec.after", "start, end, timezone and catchUp are about times, and this schedule comes after others", "leave them out")
	}
	if len(s.After) > maxParents {
		bad("spec.after", "too many parents", "put a schedule between")
	}
	var names []string
	for _, e := range s.After {
		names = append(names, e.Schedule)
	}
	slices.Sort(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			bad("spec.after", "parent "+names[i]+" is given twice", "")
		}
	}
}

// zone is where the clock hangs. "Local" would be another one on each machine.
func (s *Schedule) zone(zones Zones) (*time.Location, error) {
	switch s.Timezone {
	case "", "UTC":
		return time.UTC, nil
	case "Local":
		return nil, core.Errorf(core.Invalid, "Local is another time zone on each machine")
	}
	zone, err := zones(s.Timezone)
	if err != nil {
		return nil, core.Errorf(core.Invalid, "there is no time zone %q", s.Timezone)
	}
	return zone, nil
}

// overlap is Overlap with its default.
func (s *Schedule) overlap() string {
	switch {
	case s.Overlap != "":
		return s.Overlap
	case len(s.After) > 0:
		return "queue"
	}
	return "skip"
}

// catchUp is how many late times fire at most.
func (s *Schedule) catchUp() int {
	switch s.CatchUp {
	case "none":
		return 0
	case "all":
		if s.CatchUpMax > 0 {
			return min(s.CatchUpMax, maxCatchUp)
		}
		return 10
	}
	return 1
}

// parent is the edge from a schedule, nil if there is none.
func (s *Schedule) parent(name string) *Edge {
	for i := range s.After {
		if s.After[i].Schedule == name {
			return &s.After[i]
		}
	}
	return nil
}

// When is the trigger in words.
func (s *Schedule) When() string {
	in := ""
	if s.Timezone != "" {
		in = " in " + s.Timezone
	}
	switch {
	case s.Cron != "":
		return "cron " + s.Cron + in
	case s.Repeat != "":
		return s.Repeat + in
	}
	text := "after"
	for i, e := range s.After {
		if i > 0 {
			text += ","
		}
		text += " " + e.Schedule
		if e.Ended == "any" {
			text += " (any end)"
		}
	}
	return text
}
