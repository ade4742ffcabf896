package engine

import (
	"context"
	"sync"
)

// Work runs the part's tasks, each in a goroutine, until one fails or ctx ends,
// and answers why. No goroutine is left when it returns. It is called once.
func (p *Part) Work(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	try := func(do func(context.Context) error) {
		all.Go(func() {
			if err := do(ctx); err != nil {
				stop(err)
			}
		})
	}
	for _, t := range p.Tasks {
		try(t.run)
	}
	p.out.work(try)
	all.Wait()
	return context.Cause(ctx)
}
