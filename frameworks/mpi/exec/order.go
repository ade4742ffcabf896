package exec

import "sync"

// lane is requests that are carried out one after the other: a communicator's
// collectives (command 0), the record batches sent on it, those received.
type lane struct {
	comm    uint32
	command command
}

// order keeps the requests of a lane in the order in which they were begun.
type order struct {
	mu   sync.Mutex
	last map[lane]chan struct{} // closed when that one is over
}

func newOrder() *order { return &order{last: map[lane]chan struct{}{}} }

// join takes the next place: the request may go on when ready is closed, and
// calls leave when it is over.
func (o *order) join(l lane) (ready <-chan struct{}, leave func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before, over := o.last[l], make(chan struct{})
	if before == nil {
		before = make(chan struct{})
		close(before)
	}
	o.last[l] = over
	return before, func() {
		close(over)
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.last[l] == over {
			delete(o.last, l)
		}
	}
}
