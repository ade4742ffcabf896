package executor

import (
	"context"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/wirepb"
	"golang.org/x/time/rate"
)

const (
	// logRoom is how much more than window the queue holds for log lines.
	logRoom = 256 << 10
	// Lines a worker may log: a burst, then a steady rate.
	logBurst = 1000
	logRate  = 200 // a second
)

// link is the executor's end of the stream: its queues, which outlive every
// connection. connection.go moves them.
type link struct {
	boot    Bootstrap
	inbox   chan []byte
	started chan struct{} // closed: run the worker
	stopped chan struct{} // closed: the host asked to stop
	done    chan struct{} // closed when run returned
	wake    chan struct{} // something may be there to send
	limit   *rate.Limiter

	mu         sync.Mutex
	assignment *wirepb.Assignment
	running    bool
	stop       *wirepb.Stop
	stream     uint64 // Welcome.stream followed
	generation int64

	up      outbox[*wirepb.Up]
	changed chan struct{} // closed and replaced whenever the queues change
	dropped int64         // log lines, since the last one sent

	down  []*wirepb.Down // messages received and not yet taken
	got   uint64         // highest Down.seq received
	taken uint64         // highest Down.seq the worker took, or that was dropped
}

func newLink(boot Bootstrap) *link {
	return &link{
		boot:    boot,
		inbox:   make(chan []byte),
		started: make(chan struct{}),
		stopped: make(chan struct{}),
		done:    make(chan struct{}),
		wake:    make(chan struct{}, 1),
		changed: make(chan struct{}),
		limit:   rate.NewLimiter(logRate, logBurst),
	}
}

func (l *link) place() *wirepb.Assignment {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.assignment
}

func (l *link) grace() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(l.stop.GetGraceMs()) * time.Millisecond
}

// changeLocked wakes the sender and whoever waits for the queues.
func (l *link) changeLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// send implements Env.Send.
func (l *link) send(ctx context.Context, msg []byte) error {
	if len(msg) > MaxMessage {
		return core.Errorf(core.Failed, "a message of %d bytes to the coordinator is above the limit of %d", len(msg), MaxMessage).
			Do("send data through the exchange, not through messages")
	}
	for {
		l.mu.Lock()
		if l.up.bytes == 0 || l.up.bytes+len(msg)+overhead <= window {
			m := &wirepb.Message{Generation: l.generation, Data: msg}
			l.up.push(&wirepb.Up{What: &wirepb.Up_Message{Message: m}}, len(msg)+overhead)
			l.changeLocked()
			l.mu.Unlock()
			return nil
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// log queues one line, or counts it as dropped.
func (l *link) log(at time.Time, line string) {
	allowed := l.limit.Allow()
	line = cleanLine(line)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !allowed || l.up.bytes+len(line)+overhead > window+logRoom {
		l.dropped++
		return
	}
	l.logLocked(at, line)
}

func (l *link) logLocked(at time.Time, line string) {
	entry := &wirepb.Log{UnixNanos: at.UnixNano(), Text: line, Dropped: l.dropped}
	l.dropped = 0
	l.up.push(&wirepb.Up{What: &wirepb.Up_Log{Log: entry}}, len(line)+overhead)
	l.changeLocked()
}

// end queues the last word.
func (l *link) end(e *wirepb.Ended) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dropped > 0 {
		l.logLocked(time.Now(), "")
	}
	l.up.push(&wirepb.Up{What: &wirepb.Up_Ended{Ended: e}}, overhead)
	l.changeLocked()
}

// drain returns when everything is acknowledged or ctx ends.
func (l *link) drain(ctx context.Context) {
	for {
		l.mu.Lock()
		left, changed := l.up.len(), l.changed
		l.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// pump hands messages to the worker until ctx ends, and closes the inbox then.
// Only what the worker took is acknowledged, so the host's window bounds what
// waits here.
func (l *link) pump(ctx context.Context) {
	defer close(l.inbox)
	for {
		l.mu.Lock()
		changed := l.changed
		var head *wirepb.Down
		var out chan<- []byte
		var data []byte
		if len(l.down) > 0 {
			head, out = l.down[0], l.inbox
			data = head.GetMessage().GetData()
		}
		l.mu.Unlock()
		select {
		case out <- data:
			l.take(head)
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// take drops head from the queue; a new stream may have emptied it meanwhile.
func (l *link) take(head *wirepb.Down) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.down) > 0 && l.down[0] == head {
		l.down = l.down[1:]
		l.taken = head.Seq
		l.changeLocked()
	}
}

// welcome makes the queues fit the host's numbering (law E5).
func (l *link) welcome(w *wirepb.Welcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.Stream != l.stream {
		l.stream = w.Stream
		l.up.restart(func(u *wirepb.Up) bool { return u.GetMessage() == nil })
		l.down, l.got, l.taken = nil, 0, 0
	}
	l.up.ack(w.LastSeq)
	l.up.rewind()
	l.generateLocked(w.Generation)
	l.changeLocked()
}

// generateLocked raises the generation and drops messages of older ones.
func (l *link) generateLocked(g int64) {
	if g <= l.generation {
		return
	}
	l.generation = g
	for len(l.down) > 0 && l.down[0].GetMessage().GetGeneration() < g {
		l.taken = l.down[0].Seq
		l.down = l.down[1:]
	}
}

// receive takes one frame of the host.
func (l *link) receive(d *wirepb.Down) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.Ack > 0 {
		l.up.ack(d.Ack)
	}
	defer l.changeLocked()
	switch w := d.What.(type) {
	case *wirepb.Down_Start:
		if !l.running {
			l.running = true
			close(l.started)
		}
	case *wirepb.Down_Stop:
		if l.stop == nil {
			l.stop = w.Stop
			close(l.stopped)
		}
	case *wirepb.Down_Generation:
		l.generateLocked(w.Generation.GetGeneration())
	case *wirepb.Down_Message:
		return l.messageLocked(d)
	}
	return nil
}

func (l *link) messageLocked(d *wirepb.Down) error {
	switch {
	case d.Seq <= l.got:
		return nil
	case d.Seq != l.got+1:
		return errSequence
	}
	l.got = d.Seq
	g := d.GetMessage().GetGeneration()
	l.generateLocked(g)
	if g < l.generation && len(l.down) == 0 {
		l.taken = d.Seq
		return nil
	}
	if g < l.generation {
		// Acknowledged by the one before it: numbers are taken in order.
		l.down[len(l.down)-1].Seq = d.Seq
		return nil
	}
	l.down = append(l.down, d)
	return nil
}

// next is the next frame to send, nil when there is none. told is the highest
// number acknowledged in this session.
func (l *link) next(told *uint64) *wirepb.Up {
	l.mu.Lock()
	defer l.mu.Unlock()
	u, seq, ok := l.up.take(window)
	if !ok {
		if *told == l.taken {
			return nil
		}
		u = &wirepb.Up{}
	} else {
		u = &wirepb.Up{Seq: seq, What: u.What}
	}
	u.Ack, *told = l.taken, l.taken
	return u
}

func (l *link) hello() *wirepb.Up {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &wirepb.Up{Ack: l.taken, What: &wirepb.Up_Hello{Hello: &wirepb.Hello{
		Resumed: l.running, NextSeq: l.up.first(), Stream: l.stream,
	}}}
}
