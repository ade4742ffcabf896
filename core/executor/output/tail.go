package output

import (
	"strings"
	"sync"
)

const (
	tailLines   = 20
	maxTailLine = 512
)

// Tail keeps the last lines. Its zero value is empty; it is safe for concurrent
// use.
type Tail struct {
	mu    sync.Mutex
	lines []string
}

// Add adds a line.
func (t *Tail) Add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == tailLines {
		t.lines = append(t.lines[:0], t.lines[1:]...)
	}
	t.lines = append(t.lines, line[:min(len(line), maxTailLine)])
}

// String is the last lines, the oldest first, as valid UTF-8.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(strings.Join(t.lines, "\n"), "\uFFFD")
}
