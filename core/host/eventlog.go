package host

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/capstan-run/capstan/core/gang"
)

// eventLog writes down what the scheduler is told, from its first event on, so
// that what it did can be replayed to the byte: by `capstan simulate`, or by
// whoever reads a bug report. What must survive a crash is in the journal; the
// last moments of this log may be missing then.
type eventLog struct {
	f    *os.File
	w    *bufio.Writer
	size int64
	line []byte
}

const (
	keptLogs   = 4         // of earlier lives of the host
	mostLogged = 256 << 20 // bytes of one life
	flushEvery = time.Second
)

// openEventLog begins the log of a scheduler made with c. h.mu is held.
func (h *Host) openEventLog(c gang.Config) error {
	dir := filepath.Join(h.cfg.StateDir, "scheduler")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	old, _ := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	slices.Sort(old)
	for len(old) > keptLogs {
		os.Remove(old[0])
		old = old[1:]
	}
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%020d.jsonl", now().UnixNano())), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	l := &eventLog{f: f, w: bufio.NewWriterSize(f, 64<<10)}
	line, err := gang.AppendConfig(nil, c)
	if err == nil {
		_, err = l.w.Write(line)
	}
	h.events = l
	return err
}

// record writes an event down. A log that cannot be written, or is full, is ended:
// the scheduler goes on without it. h.mu is held.
func (h *Host) record(e gang.Event) {
	l := h.events
	if l == nil {
		return
	}
	line, err := gang.AppendEvent(l.line[:0], e)
	l.line = line
	l.size += int64(len(line))
	if err == nil {
		_, err = l.w.Write(line)
	}
	if err == nil && l.size > mostLogged {
		err = fmt.Errorf("it has %d bytes", l.size)
	}
	if err != nil {
		h.log.Warn("the log of the scheduler's events ends here", "err", err)
		h.closeEventLog()
	}
}

// closeEventLog ends the log. h.mu is held.
func (h *Host) closeEventLog() {
	if h.events != nil {
		h.events.w.Flush()
		h.events.f.Close()
		h.events = nil
	}
}

// flushEvents brings the log to the disk from time to time.
func (h *Host) flushEvents(ctx context.Context) {
	for t := time.NewTicker(flushEvery); ; {
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		h.mu.Lock()
		if h.events != nil {
			h.events.w.Flush()
		}
		h.mu.Unlock()
	}
}
