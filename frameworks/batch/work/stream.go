package work

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
)

const (
	maxLine     = 8 << 10 // the rest of a longer line is in the kept stream only
	tailLines   = 20
	maxTailLine = 512
	// lingering is how long processes that left the group may keep a stream open.
	lingering = time.Second
)

// streams are where a try's process writes to.
type streams struct {
	stdout, stderr *os.File // the process's ends
	list           []*stream
	last           *ring // lines of stderr, or of both where they are one
}

// stream is one pipe and what becomes of it.
type stream struct {
	name string // "stdout", "stderr"
	to   string // as in the spec; "" for the log alone
	file string // its text, if it is kept
	pipe *os.File
	done chan struct{}
	err  error // of keeping it; after done
}

// streams opens the pipes and begins to read them.
func (t *try) streams() (*streams, error) {
	s := &streams{last: new(ring)}
	var err error
	if s.stdout, err = s.open(t, "stdout", t.body.Stdout); err != nil {
		return nil, err
	}
	if t.body.Merged() {
		s.stderr = s.stdout
		return s, nil
	}
	if s.stderr, err = s.open(t, "stderr", t.body.Stderr); err != nil {
		s.drain()
		return nil, err
	}
	return s, nil
}

func (s *streams) open(t *try, name, to string) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, core.Errorf(core.Failed, "no pipe to the program: %v", err).Do("raise the limit of open files")
	}
	st := &stream{name: name, to: to, pipe: r, done: make(chan struct{})}
	var keep *os.File
	if to != "" {
		st.file = filepath.Join(t.dir, name)
		if keep, err = os.Create(st.file); err != nil {
			r.Close()
			w.Close()
			return nil, core.Errorf(core.Failed, "keep %s: %v", name, err)
		}
	}
	tail := s.last
	if name == "stdout" && !t.body.Merged() {
		tail = nil
	}
	s.list = append(s.list, st)
	go st.read(keep, tail, func(line string) { t.env.Log.Info(line) })
	return w, nil
}

// read reads the pipe to its end.
func (st *stream) read(keep *os.File, tail *ring, log func(string)) {
	defer close(st.done)
	defer st.pipe.Close()
	var w *bufio.Writer
	if keep != nil {
		defer keep.Close()
		w = bufio.NewWriterSize(keep, 64<<10)
	}
	r := bufio.NewReaderSize(st.pipe, maxLine)
	for more := false; ; {
		part, err := r.ReadSlice('\n')
		if w != nil && st.err == nil {
			_, st.err = w.Write(part)
		}
		if len(part) > 0 && !more {
			line := string(bytes.TrimRight(part, "\r\n"))
			log(line)
			tail.add(line)
		}
		more = err == bufio.ErrBufferFull
		if err != nil && !more {
			break
		}
	}
	if w != nil && st.err == nil {
		st.err = w.Flush()
	}
}

// handed closes this process's copies of what the child writes to.
func (s *streams) handed() {
	for _, f := range []*os.File{s.stdout, s.stderr} {
		if f != nil {
			_ = f.Close() // the second time it says that it is closed
		}
	}
}

// drain returns when everything was read. The process group must be gone; a
// process that left it and holds a stream open is not listened to for long. It
// may be called again.
func (s *streams) drain() {
	s.handed()
	late := time.NewTimer(lingering)
	defer late.Stop()
	for _, st := range s.list {
		select {
		case <-st.done:
		case <-late.C:
			_ = st.pipe.SetReadDeadline(time.Now())
			<-st.done
			late.Reset(0)
		}
	}
}

// kept are the streams that go elsewhere than the log.
func (s *streams) kept() []*stream {
	var list []*stream
	for _, st := range s.list {
		if st.to != "" {
			list = append(list, st)
		}
	}
	return list
}

// tail is the last lines of stderr.
func (s *streams) tail() string { return s.last.String() }

// ring keeps the last lines. A nil ring keeps none.
type ring struct {
	mu    sync.Mutex
	lines []string
}

func (r *ring) add(line string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) == tailLines {
		r.lines = append(r.lines[:0], r.lines[1:]...)
	}
	r.lines = append(r.lines, line[:min(len(line), maxTailLine)])
}

func (r *ring) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.ToValidUTF8(strings.Join(r.lines, "\n"), "\uFFFD")
}
