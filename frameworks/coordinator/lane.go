package coordinator

import "context"

// lane does work beside a loop, one piece at a time and in order (law L5). But
// for the work itself it belongs to the loop's goroutine.
type lane struct {
	done    chan func() // what the loop has to do about the piece that has ended
	waiting []func()    // start the pieces that wait
	busy    bool
}

func newLane() *lane { return &lane{done: make(chan func(), 1)} }

// add has work done when its turn comes.
func (l *lane) add(ctx context.Context, work func(context.Context) func()) (stop context.CancelFunc) {
	ctx, stop = context.WithCancel(ctx)
	start := func() {
		go func() {
			defer stop()
			l.done <- work(ctx)
		}()
	}
	if l.busy {
		l.waiting = append(l.waiting, start)
		return stop
	}
	l.busy = true
	start()
	return stop
}

// proceed starts the next piece after one has ended.
func (l *lane) proceed() {
	if l.busy = len(l.waiting) > 0; l.busy {
		start := l.waiting[0]
		l.waiting = l.waiting[1:]
		start()
	}
}

// wait waits for the piece under way; none follows it.
func (l *lane) wait() {
	if l.busy {
		<-l.done
	}
}
