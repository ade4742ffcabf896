package host

import (
	"math"
	"sync"

	"github.com/capstan-run/capstan/core"
)

// eventQueue delivers events in order to a receiver that may be slower than
// their makers, and knows how many it has taken. Its length is bounded by what
// a gang can have in flight.
type eventQueue struct {
	out    chan core.Event
	mu     sync.Mutex
	buf    []core.Event
	pushed int64
	wake   chan struct{}
	done   chan struct{}
	once   sync.Once
	// count is where the pump says how many events were taken. It speaks
	// between two of them, so who received one is answered with it counted.
	count chan int64
}

func newEventQueue() *eventQueue {
	q := &eventQueue{out: make(chan core.Event), wake: make(chan struct{}, 1), done: make(chan struct{}), count: make(chan int64)}
	go q.pump()
	return q
}

// push appends e and returns its number, from 1; after close it does nothing.
func (q *eventQueue) push(e core.Event) int64 {
	select {
	case <-q.done:
		return math.MaxInt64
	default:
	}
	q.mu.Lock()
	q.buf = append(q.buf, e)
	q.pushed++
	n := q.pushed
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return n
}

// taken is the number of the last event that the receiver has; 0 after close.
func (q *eventQueue) taken() int64 {
	select {
	case n := <-q.count:
		return n
	case <-q.done:
		return 0
	}
}

func (q *eventQueue) close() { q.once.Do(func() { close(q.done) }) }

func (q *eventQueue) pump() {
	defer close(q.out)
	for taken := int64(0); ; {
		q.mu.Lock()
		batch := q.buf
		q.buf = nil
		q.mu.Unlock()
		for len(batch) > 0 {
			select {
			case q.out <- batch[0]:
				batch = batch[1:]
				taken++
			case q.count <- taken:
			case <-q.done:
				return
			}
		}
		select {
		case <-q.wake:
		case q.count <- taken:
		case <-q.done:
			return
		}
	}
}
