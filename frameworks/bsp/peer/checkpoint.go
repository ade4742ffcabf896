package peer

import (
	"context"
	"io"
	"time"
)

// Checkpoints is where a rank's parts of checkpoints lie. A checkpoint is a
// superstep and, of each rank, named sections. It may be used from several
// goroutines.
type Checkpoints interface {
	// Begin begins this rank's part of the checkpoint of a superstep.
	Begin(ctx context.Context, superstep int64) (Part, error)
	// Open reads a section of this rank's, written in the part of superstep.
	Open(ctx context.Context, superstep int64, section string) (io.ReadCloser, error)
}

// Part is a rank's part of a checkpoint that is being written, by one goroutine.
// It ends with Commit or Abort.
type Part interface {
	// Section begins a section, or goes on with it: what is written belongs to it
	// until the next call.
	Section(name string) (io.Writer, error)
	// Fixed does the same for a section that never changes, which parts of later
	// supersteps can have too.
	Fixed(name string) (io.Writer, error)
	// Commit says that the part is whole, and makes it durable. sections has for
	// each name the superstep in whose part it was written: an earlier one for
	// what never changes. The checkpoint stands when all ranks have committed.
	Commit(ctx context.Context, sections map[string]int64) error
	// Abort drops the part.
	Abort()
}

// Resume is a checkpoint that stands, as this rank sees it.
type Resume struct {
	Superstep int64
	Sections  map[string]int64 // as this rank said in Done
	// Fresh says that this process has not run the program before.
	Fresh bool
}

// policy says when a checkpoint is due.
type policy struct {
	every  int64
	period time.Duration
	asked  func() bool
	step   int64 // of the last one, or of the beginning
	since  time.Time
}

func newPolicy(c Config, keeper bool, step int64) policy {
	p := policy{step: step, since: time.Now(), asked: func() bool { return false }}
	if keeper && c.Checkpoints != nil {
		p.every, p.period = c.Every, c.Period
		if c.Due != nil {
			p.asked = c.Due
		}
	}
	return p
}

// due reports whether to take a checkpoint of step.
func (p *policy) due(step int64) bool {
	return p.every > 0 && step-p.step >= p.every || p.period > 0 && time.Since(p.since) >= p.period || p.asked()
}

// taken notes that one is.
func (p *policy) taken(step int64) { p.step, p.since = step, time.Now() }
