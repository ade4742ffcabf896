package exec

import (
	"bytes"
	"strings"
	"sync"

	"golang.org/x/time/rate"
)

const (
	tailLines = 20
	tailLine  = 512 // bytes; the rest of a longer line is dropped
	logRate   = 100 // lines a second that go to the log
)

// tail keeps the last lines of a process's stderr, and passes lines on at a
// bounded rate.
type tail struct {
	pass  func(line string)
	limit *rate.Limiter

	mu      sync.Mutex
	partial []byte
	lines   []string
}

func newTail(pass func(string)) *tail {
	return &tail{pass: pass, limit: rate.NewLimiter(logRate, 2*logRate)}
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(b)
	for {
		line, rest, ended := bytes.Cut(b, []byte("\n"))
		t.partial = append(t.partial, line[:min(len(line), tailLine-min(len(t.partial), tailLine))]...)
		if !ended {
			return n, nil
		}
		t.keep(strings.TrimSuffix(string(t.partial), "\r"))
		t.partial, b = t.partial[:0], rest
	}
}

func (t *tail) keep(line string) {
	if len(t.lines) == tailLines {
		copy(t.lines, t.lines[1:])
		t.lines = t.lines[:tailLines-1]
	}
	t.lines = append(t.lines, line)
	if t.limit.Allow() {
		t.pass(line)
	}
}

// text is the last lines, one after the other.
func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(append(t.lines[:len(t.lines):len(t.lines)], string(t.partial)), "\n")
}
