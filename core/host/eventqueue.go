package host

import (
	"sync"

	"github.com/capstan-run/capstan/core"
)

// eventQueue delivers events in order to a receiver that may be slower than
// their makers. Its length is bounded by what a gang can have in flight.
type eventQueue struct {
	out  chan core.Event
	mu   sync.Mutex
	buf  []core.Event
	wake chan struct{}
	done chan struct{}
	once sync.Once
}

func newEventQueue() *eventQueue {
	q := &eventQueue{out: make(chan core.Event), wake: make(chan struct{}, 1), done: make(chan struct{})}
	go q.pump()
	return q
}

// push appends e; after close it does nothing.
func (q *eventQueue) push(e core.Event) {
	select {
	case <-q.done:
		return
	default:
	}
	q.mu.Lock()
	q.buf = append(q.buf, e)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *eventQueue) close() { q.once.Do(func() { close(q.done) }) }

func (q *eventQueue) pump() {
	defer close(q.out)
	for {
		q.mu.Lock()
		batch := q.buf
		q.buf = nil
		q.mu.Unlock()
		for _, e := range batch {
			select {
			case q.out <- e:
			case <-q.done:
				return
			}
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-q.wake:
		case <-q.done:
			return
		}
	}
}
