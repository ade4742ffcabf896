package gang

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/place"
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
}

func (c Config) withDefaults() Config {
	if c.StartTimeout <= 0 {
		c.StartTimeout = 60_000
	}
	if c.Revokes <= 0 {
		c.Revokes = 3
	}
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
	// StartTimeout is how long the executors may take to join, in
	// milliseconds from the grant. 0: Config.StartTimeout.
	StartTimeout int64 `json:"startTimeout,omitempty"`
	// Walltime is how long the gang may run, in milliseconds from Started. 0:
	// no limit.
	Walltime int64 `json:"walltime,omitempty"`
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

func (r Request) ask() place.Ask {
	return place.Ask{Size: r.Size, Each: r.Each, Policy: r.Placement}
}

// fault names what makes r impossible whatever the cluster; "" if nothing.
func (r Request) fault() string {
	switch {
	case r.Size < 1:
		return fmt.Sprintf("a gang needs at least one executor, not %d", r.Size)
	case r.Size > maxSize:
		return fmt.Sprintf("a gang of %d executors is larger than %d", r.Size, maxSize)
	case r.Each.CPU < 0 || r.Each.Memory < 0:
		return fmt.Sprintf("an executor cannot have %s", r.Each)
	case r.StartTimeout < 0 || r.Walltime < 0:
		return "a time limit cannot be negative"
	}
	if err := place.Check(r.Placement); err != nil {
		return err.Error()
	}
	return ""
}

// maxSize bounds what one step has to allocate.
const maxSize = 1 << 20
