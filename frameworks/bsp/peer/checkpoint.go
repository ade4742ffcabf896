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
	// Create begins a section of this rank's part. A section that was begun
	// before and not committed is forgotten.
	Create(ctx context.Context, superstep int64, section string) (Section, error)
	// Done says that all sections of this rank's part are durable. sections has
	// for each name the superstep under which it was created: an earlier one
	// for what never changes. The checkpoint stands when all ranks are done.
	Done(ctx context.Context, superstep int64, sections map[string]int64) error
	// Open reads a section of this rank's, created under superstep.
	Open(ctx context.Context, superstep int64, section string) (io.ReadCloser, error)
}

// Section is one that is being written. It ends with Commit or Abort.
type Section interface {
	io.Writer
	// Commit makes the section durable.
	Commit() error
	// Abort drops it.
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
