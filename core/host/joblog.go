package host

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/capstan-run/capstan/core"
)

// maxLog is how much log one job may keep. Past it lines are counted, not kept.
const maxLog = 64 << 20

// LogLine is one line of a job's log. Text holds no control bytes.
type LogLine struct {
	Time  time.Time
	Epoch core.Epoch
	Rank  int // -1: the coordinator
	Text  string
}

// jobLog is a job's log: an append-only file that can be followed.
type jobLog struct {
	mu      sync.Mutex
	path    string
	f       *os.File
	size    int64
	dropped int64
	closed  bool
	grown   chan struct{} // closed and replaced when the file grew
}

func openLog(path string) (*jobLog, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &jobLog{path: path, f: f, size: fi.Size(), grown: make(chan struct{})}, nil
}

func (l *jobLog) add(line LogLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if l.size > maxLog {
		l.dropped++
		return
	}
	text := escape(line.Text)
	n, _ := fmt.Fprintf(l.f, "%d %d %d %s\n", line.Time.UnixNano(), line.Epoch, line.Rank, text)
	l.size += int64(n)
	if l.size > maxLog {
		n, _ := fmt.Fprintf(l.f, "%d %d -1 the log is full (%d MiB): later lines are not kept\n", line.Time.UnixNano(), line.Epoch, maxLog>>20)
		l.size += int64(n)
	}
	close(l.grown)
	l.grown = make(chan struct{})
}

// close ends the log: followers return after the last line.
func (l *jobLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	l.f.Close()
	close(l.grown)
}

// follow calls each with every line that keep accepts, and goes on with new
// ones until the log is closed when follow is set.
func (l *jobLog) read(ctx context.Context, follow bool, each func(LogLine) error) error {
	f, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	var part strings.Builder
	for {
		l.mu.Lock()
		grown, closed := l.grown, l.closed
		l.mu.Unlock()
		for {
			s, err := r.ReadString('\n')
			part.WriteString(s)
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			line, ok := parseLogLine(strings.TrimSuffix(part.String(), "\n"))
			part.Reset()
			if !ok {
				continue
			}
			if err := each(line); err != nil {
				return err
			}
		}
		if closed || !follow {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func parseLogLine(s string) (LogLine, bool) {
	f := strings.SplitN(s, " ", 4)
	if len(f) != 4 {
		return LogLine{}, false
	}
	nanos, err1 := strconv.ParseInt(f[0], 10, 64)
	epoch, err2 := strconv.ParseInt(f[1], 10, 64)
	rank, err3 := strconv.Atoi(f[2])
	if err1 != nil || err2 != nil || err3 != nil {
		return LogLine{}, false
	}
	return LogLine{time.Unix(0, nanos).UTC(), core.Epoch(epoch), rank, f[3]}, true
}

func control(r rune) bool {
	return r < 0x20 && r != '\t' || r >= 0x7f && r < 0xa0
}

// escape makes s one line without control bytes, so that a job's output can
// neither forge lines nor speak to a terminal.
func escape(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, control) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if control(r) {
			fmt.Fprintf(&b, `\x%02x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
