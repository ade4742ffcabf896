package script

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	maxErrLine  = 8 << 10 // the rest of a longer line is dropped
	tailLines   = 20
	maxTailLine = 512
	logRate     = 100 // lines a second
	logBurst    = 200
)

// stderr drains a script's stderr to its end.
type stderr struct {
	c       Command
	file    *os.File
	limit   *rate.Limiter
	dropped int64
	done    chan struct{}

	mu   sync.Mutex
	last []string // a ring of the last lines
	next int
}

func newStderr(f *os.File, c Command) *stderr {
	s := &stderr{c: c, file: f, limit: rate.NewLimiter(logRate, logBurst), done: make(chan struct{})}
	go s.run()
	return s
}

// wait returns when all of stderr was read. The process group must be gone; a
// process that left it and holds stderr open is not listened to for long.
func (s *stderr) wait() {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-s.done:
	case <-t.C:
		_ = s.file.Close()
		<-s.done
	}
}

func (s *stderr) run() {
	defer close(s.done)
	defer s.file.Close()
	r := bufio.NewReaderSize(s.file, maxErrLine)
	for {
		line, err := r.ReadSlice('\n')
		if len(line) > 0 {
			s.line(bytes.TrimRight(line, "\r\n"))
		}
		for err == bufio.ErrBufferFull {
			_, err = r.ReadSlice('\n')
		}
		if err != nil {
			break
		}
	}
	if s.dropped > 0 {
		s.log(fmt.Sprintf("(%d lines of stderr were not kept)", s.dropped))
	}
}

func (s *stderr) line(line []byte) {
	if rest, ok := bytes.CutPrefix(line, []byte("reporter:")); ok && s.report(string(rest)) {
		return
	}
	s.keep(line)
	if !s.limit.Allow() {
		s.dropped++
		return
	}
	s.log(string(line))
}

func (s *stderr) log(line string) {
	if s.c.Log != nil {
		s.c.Log(line)
	}
}

// report handles "counter:group,name,amount" and "status:text".
func (s *stderr) report(text string) bool {
	if status, ok := strings.CutPrefix(text, "status:"); ok {
		if s.c.Status != nil {
			s.c.Status(status)
		}
		return true
	}
	counter, ok := strings.CutPrefix(text, "counter:")
	if !ok {
		return false
	}
	// A name may hold commas; group and amount do not.
	group, rest, ok1 := strings.Cut(counter, ",")
	at := strings.LastIndexByte(rest, ',')
	if !ok1 || at < 0 {
		return false
	}
	amount, err := strconv.ParseInt(strings.TrimSpace(rest[at+1:]), 10, 64)
	if err != nil {
		return false
	}
	if s.c.Counter != nil {
		s.c.Counter(strings.TrimSpace(group), strings.TrimSpace(rest[:at]), amount)
	}
	return true
}

func (s *stderr) keep(line []byte) {
	text := string(line[:min(len(line), maxTailLine)])
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.last) < tailLines {
		s.last = append(s.last, text)
		return
	}
	s.last[s.next] = text
	s.next = (s.next + 1) % tailLines
}

// tail is the last lines, oldest first.
func (s *stderr) tail() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(append(s.last[s.next:len(s.last):len(s.last)], s.last[:s.next]...), "\n")
}
