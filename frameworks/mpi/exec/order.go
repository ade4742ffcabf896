package exec

import "sync"

// order keeps the collectives of a communicator in the order in which they were
// begun.
type order struct {
	mu   sync.Mutex
	last map[uint32]chan struct{} // by communicator; closed when that one is over
}

func newOrder() *order { return &order{last: map[uint32]chan struct{}{}} }

// join takes the next place: the request may go on when ready is closed, and
// calls leave when it is over.
func (o *order) join(comm uint32) (ready <-chan struct{}, leave func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before, over := o.last[comm], make(chan struct{})
	if before == nil {
		before = make(chan struct{})
		close(before)
	}
	o.last[comm] = over
	return before, func() {
		close(over)
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.last[comm] == over {
			delete(o.last, comm)
		}
	}
}
