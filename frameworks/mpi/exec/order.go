package exec

import "sync"

// lane is requests that are carried out one after the other.
type lane struct {
	command   command // of collectives 0: they share a communicator's
	comm      uint32
	peer, tag int32
}

// order keeps the order in which requests of one lane were begun.
type order struct {
	mu   sync.Mutex
	last map[lane]chan struct{}
}

// join takes the next place in a lane: the request may go on when ready is
// closed, and calls leave when it is over.
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
