package plugins

import (
	"bytes"
	"sync"
)

// tailBytes is how much of a process's stderr is kept: a Go stack, usually.
const tailBytes = 16 << 10

// tail keeps the last bytes written to it. It is safe for concurrent use.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > 8*tailBytes {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-4*tailBytes:]...)
	}
	return len(p), nil
}

// String is the end of it, at most tailBytes: from the start of the last panic where
// there is one, since the goroutine at fault comes first in Go's traces.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.buf
	if i := panicStart(b); i >= 0 {
		b = b[i:]
		return string(b[:min(len(b), tailBytes)])
	}
	return string(b[max(len(b)-tailBytes, 0):])
}

// panicStart finds where Go last began to report a panic or a fatal error; -1
// when it did not.
func panicStart(stderr []byte) int {
	last := -1
	for _, mark := range []string{"panic: ", "fatal error: "} {
		if bytes.HasPrefix(stderr, []byte(mark)) {
			last = max(last, 0)
		}
		if i := bytes.LastIndex(stderr, []byte("\n"+mark)); i >= 0 {
			last = max(last, i+1)
		}
	}
	return last
}
