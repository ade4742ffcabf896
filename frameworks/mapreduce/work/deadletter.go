package work

import (
	"context"
	"sync"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
)

// deadLetters takes a try's bad records: it refuses the first, or writes all to
// a part of their own.
type deadLetters struct {
	t    *try
	mu   sync.Mutex
	part *output.PartWriter
	out  *output.DeadLetters
}

func (d *deadLetters) add(b input.Bad) error {
	if d.t.plan.body.OnBadRecord != "deadLetter" {
		return fatal{b.Err()}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.out == nil {
		d.part = d.t.newPart(output.DeadLetterPart(d.t.run.Task.Index))
		d.out = output.NewDeadLetters(d.part)
	}
	return d.out.Add(b)
}

// close answers the part, if there is one, and how many records are in it.
func (d *deadLetters) close(ctx context.Context) ([]output.Part, int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.out == nil {
		return nil, 0, nil
	}
	p, err := d.part.Close(ctx, d.out.Count())
	return []output.Part{p}, d.out.Count(), err
}

func (d *deadLetters) abort() {
	if d.part != nil {
		d.part.Abort()
	}
}
