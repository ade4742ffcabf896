package gang

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
	"github.com/capstan-run/capstan/core/queue"
)

// ID names a gang: "job/name". It is unique among the gangs that wait or run.
type ID string

// IDOf is the ID of the gang called name of a job.
func IDOf(job core.JobID, name string) ID { return ID(string(job) + "/" + name) }

// Config fixes what a Scheduler does by default. The zero value is usable.
type Config struct {
	// StartTimeout is that of a request without one, in milliseconds.
	// Default 60,000.
	StartTimeout int64
	// Revokes is how many starts in a row may come to nothing before the gang
	// is refused. Default 3.
	Revokes int
	// Lease is the last lease ever granted, so that numbers do not repeat
	// after a restart (law G6). Default 0.
	Lease uint64
	// Grace is that of a request without one, in milliseconds. Default 30,000.
	Grace int64
	// Strikes is how many starts may go wrong on a node within StrikeWindow
	// milliseconds before it takes nobody for Quarantine milliseconds, which
	// double with each further turn until a start goes well. Default 5 within
	// 600,000, for 300,000.
	Strikes                  int
	StrikeWindow, Quarantine int64
	// Depth bounds how many gangs that find no place one pass looks at.
	// Default 2,000.
	Depth int
	// Heads is how many gangs have nodes kept for them, Slack how many walltimes
	// of its own a promise leaves a gang beyond its planned start, and Budget
	// by how much of the most work that ever waited a gang may be passed, in
	// hundredths: see promises. Default 2, 1 and 9.
	Heads         int
	Slack, Budget int64
	// Evictions is how many gangs may have to give way within a minute.
	// Default 1,000.
	Evictions int
	// StandBack is how long gangs may have to stand back after one like them had
	// to give way (law G15), in milliseconds. Default 60,000.
	StandBack int64
	// Queues is the tree of queues. Default: one, served by priority and
	// arrival.
	Queues queue.Config
	// Explain makes Step explain why the gang of its event waits. Scheduler.Why
	// answers at any time.
	Explain bool
}

func (c Config) withDefaults() Config {
	if c.StartTimeout <= 0 {
		c.StartTimeout = 60_000
	}
	if c.Revokes <= 0 {
		c.Revokes = 3
	}
	c.Grace = orElse(c.Grace, 30_000)
	c.Strikes = orElse(c.Strikes, 5)
	c.StrikeWindow = orElse(c.StrikeWindow, 600_000)
	c.Quarantine = orElse(c.Quarantine, 300_000)
	c.Depth = orElse(c.Depth, 2000)
	c.Queues = guarded(c.Queues)
	c.Heads = orElse(c.Heads, 2)
	c.Slack = orElse(c.Slack, 1)
	c.Budget = orElse(c.Budget, 9)
	c.Evictions = orElse(c.Evictions, 1000)
	c.StandBack = orElse(c.StandBack, minute)
	return c
}

// Request asks for a gang.
type Request struct {
	Gang      ID                `json:"gang"`
	Job       core.JobID        `json:"job"`
	Size      int               `json:"size"` // executors, at least 1
	Each      core.Resources    `json:"each"` // of one executor
	Placement core.PlacementAsk `json:"placement,omitzero"`
	Priority  int               `json:"priority"` // higher runs first
	Queue     string            `json:"queue,omitempty"`
	User      string            `json:"user,omitempty"` // who is charged
	Name      string            `json:"name,omitempty"` // of the job, for When.Singleton
	// Labels are the job's, for constraints of others that keep apart from it.
	Labels map[string]string `json:"labels,omitempty"`
	// Min and Max make the gang elastic: see core.Gang. 0: Size.
	Min int `json:"min,omitempty"`
	Max int `json:"max,omitempty"`
	// Roles are parts of the gang. If there are any, Size is their sum, and
	// what a role leaves out is the gang's.
	Roles       []core.Role       `json:"roles,omitempty"`
	Generic     map[string]int64  `json:"generic,omitempty"`  // of each executor
	Licences    map[string]int64  `json:"licences,omitempty"` // of the whole gang
	Ports       []int             `json:"ports,omitempty"`    // of each executor's node
	Constraints []core.Constraint `json:"constraints,omitempty"`
	Image       string            `json:"image,omitempty"`   // nodes that hold it are taken first
	Restart     string            `json:"restart,omitempty"` // see core.Gang
	// When holds the gang back. Its times are Unix milliseconds here.
	When When `json:"when,omitzero"`
	// Array makes it one gang for each index: see Element.
	Array *core.Array `json:"array,omitempty"`
	// Arrival is the number under which an earlier life of the gang came: it
	// stands in line where that one stood. 0: it comes now.
	Arrival uint64 `json:"arrival,omitempty"`
	// Reservation is the reservation in advance whose nodes the gang runs on.
	Reservation string `json:"reservation,omitempty"`
	// Predicted is how long it will run, as a guess that decides nothing but
	// order, in milliseconds. 0: not known.
	Predicted int64 `json:"predicted,omitempty"`
	// Grace is from the notice that the gang has to give way to its end, in
	// milliseconds. 0: Config.Grace.
	Grace int64 `json:"grace,omitempty"`
	// StartTimeout is how long the executors may take to join, in
	// milliseconds from the grant. 0: Config.StartTimeout.
	StartTimeout int64 `json:"startTimeout,omitempty"`
	// Walltime is how long the gang may run, in milliseconds from Started. 0:
	// no limit.
	Walltime int64 `json:"walltime,omitempty"`
}

// When holds a gang back: core.When with times in Unix milliseconds.
type When struct {
	Hold      bool              `json:"hold,omitempty"`
	Begin     int64             `json:"begin,omitempty"`
	Deadline  int64             `json:"deadline,omitempty"` // refused if it cannot end by then
	After     []core.Dependency `json:"after,omitempty"`
	Singleton bool              `json:"singleton,omitempty"`
}

// none reports whether nothing holds the gang back, and nothing refuses it later.
func (w *When) none() bool {
	return !w.Hold && w.Begin == 0 && w.Deadline == 0 && len(w.After) == 0 && !w.Singleton
}

// String is the shape in words: "gang of 4 x (1 cpu, 512Mi memory), pack host".
func (r Request) String() string {
	s := fmt.Sprintf("gang of %d x (%s)", r.Size, r.Each)
	if r.Placement.Pack != "" {
		s += ", pack " + r.Placement.Pack
	}
	if r.Placement.Spread != "" {
		s += ", spread " + r.Placement.Spread
	}
	return s
}

// malformed names what makes r impossible whatever the cluster; "" if nothing.
func (r *Request) malformed() string {
	switch {
	case r.Size < 1:
		return fmt.Sprintf("a gang needs at least one executor, not %d", r.Size)
	case r.Size > maxSize:
		return fmt.Sprintf("a gang of %d executors is larger than %d", r.Size, maxSize)
	case r.Each.CPU < 0 || r.Each.Memory < 0:
		return fmt.Sprintf("an executor cannot have %s", r.Each)
	case r.StartTimeout < 0 || r.Walltime < 0 || r.Predicted < 0:
		return "a time limit cannot be negative"
	case r.Min < 0 || r.Min > r.Size || r.Max != 0 && r.Max < r.Size:
		return fmt.Sprintf("the sizes min %d, size %d, max %d of a gang have to rise", r.Min, r.Size, r.Max)
	case r.Array != nil && len(r.Array.Ranges) == 0:
		return "an array needs at least one index"
	case r.Array != nil && !rising(r.Array.Ranges):
		return fmt.Sprintf("the ranges of array %s do not rise", r.Array)
	}
	if why := r.rolesMalformed(); why != "" {
		return why
	}
	if err := place.Check(r.Placement); err != nil {
		return err.Error()
	}
	return ""
}

func (r *Request) rolesMalformed() string {
	sum := 0
	for _, role := range r.Roles {
		if role.Size < 1 || role.Min < 0 || role.Min > role.Size {
			return fmt.Sprintf("role %s cannot have min %d and size %d", role.Name, role.Min, role.Size)
		}
		if role.CPU < 0 || role.Memory < 0 {
			return fmt.Sprintf("an executor of role %s cannot have less than nothing", role.Name)
		}
		sum += role.Size
	}
	if len(r.Roles) > 0 && sum != r.Size {
		return fmt.Sprintf("the roles have %d executors together, and the gang %d", sum, r.Size)
	}
	return ""
}

func rising(ranges []core.ArrayRange) bool {
	last := int64(-1)
	for _, r := range ranges {
		if r.First <= last || r.Last < r.First || r.Step < 1 {
			return false
		}
		last = r.Last
	}
	return true
}

// maxSize bounds what one step has to allocate.
const maxSize = 1 << 20
