package output

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"time"

	"github.com/capstan-run/capstan/core"
)

const (
	maxLine = 8 << 10
	// lingering is how long processes that left the group may keep a stream open.
	lingering = time.Second
)

// Stream is one pipe that a program writes to. Its methods belong to one
// goroutine.
type Stream struct {
	program *os.File // its end
	own     *os.File
	read    chan struct{}
	err     error // of keeping it; after read
}

// Open opens a pipe and begins to read it. line is called with each line,
// without its end, by one goroutine; keep, which may be nil, is written every
// byte.
func Open(keep io.Writer, line func(string)) (*Stream, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, core.Errorf(core.Failed, "no pipe to the program: %v", err).Do("raise the limit of open files")
	}
	s := &Stream{program: w, own: r, read: make(chan struct{})}
	go s.follow(keep, line)
	return s, nil
}

// Program is the end that the program inherits.
func (s *Stream) Program() *os.File { return s.program }

// Started closes this process's copy of the program's end. It may be called again.
func (s *Stream) Started() { _ = s.program.Close() }

// follow reads the pipe to its end.
func (s *Stream) follow(keep io.Writer, line func(string)) {
	defer close(s.read)
	defer s.own.Close()
	var w *bufio.Writer
	if keep != nil {
		w = bufio.NewWriterSize(keep, 64<<10)
	}
	r := bufio.NewReaderSize(s.own, maxLine)
	for more := false; ; {
		part, err := r.ReadSlice('\n')
		if w != nil && s.err == nil {
			_, s.err = w.Write(part)
		}
		if len(part) > 0 && !more {
			line(string(bytes.TrimRight(part, "\r\n")))
		}
		more = err == bufio.ErrBufferFull
		if err != nil && !more {
			break
		}
	}
	if w != nil && s.err == nil {
		s.err = w.Flush()
	}
}

// Drain returns when everything that the streams carried was read and kept. The
// programs' groups must be gone. It may be called again.
func Drain(streams ...*Stream) {
	late := time.NewTimer(lingering)
	defer late.Stop()
	for _, s := range streams {
		s.Started()
		select {
		case <-s.read:
		case <-late.C:
			_ = s.own.SetReadDeadline(time.Now())
			<-s.read
			late.Reset(0)
		}
	}
}

// Err is what went wrong with keeping the stream. It may be asked after Drain.
func (s *Stream) Err() error { return s.err }
