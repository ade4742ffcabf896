package work

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/console"
)

const (
	maxLine     = 8 << 10
	tailLines   = 20
	maxTailLine = 512
	// lingering is how long processes that left the group may keep a stream open.
	lingering = 200 * time.Millisecond
)

// output is where a rank writes to.
type output struct {
	log     func(line string)
	forward [2]*forward // to the console; nil: nowhere
	ends    []*os.File  // the process's
	ours    []*os.File
	read    sync.WaitGroup

	mu   sync.Mutex
	last []string
}

func newOutput(log func(string)) *output { return &output{log: log} }

// open makes the process's streams and begins to read them.
func (o *output) open(cmd *exec.Cmd) error {
	for n := range o.forward {
		r, w, err := os.Pipe()
		if err != nil {
			o.handed()
			return core.Errorf(core.Failed, "no pipe to the rank: %v", err).Do("raise the limit of open files")
		}
		o.ends, o.ours = append(o.ends, w), append(o.ours, r)
		o.read.Go(func() { o.listen(r, o.forward[n]) })
	}
	cmd.Stdout, cmd.Stderr = o.ends[0], o.ends[1]
	return nil
}

// listen reads a stream to its end.
func (o *output) listen(f *os.File, to *forward) {
	defer f.Close()
	buf := make([]byte, console.MaxBytes)
	var l lines
	for {
		n, err := f.Read(buf)
		if n > 0 {
			to.send(buf[:n])
			l.take(buf[:n], o.line)
		}
		if err != nil {
			l.end(o.line)
			return
		}
	}
}

// lines cuts a stream into bounded lines: the rest of a longer one is left out.
type lines struct{ rest []byte }

func (l *lines) take(data []byte, each func(string)) {
	for {
		end := bytes.IndexByte(data, '\n')
		part := data
		if end >= 0 {
			part = data[:end]
		}
		l.rest = append(l.rest, part[:min(len(part), maxLine-len(l.rest))]...)
		if end < 0 {
			return
		}
		each(string(bytes.TrimRight(l.rest, "\r")))
		l.rest, data = l.rest[:0], data[end+1:]
	}
}

func (l *lines) end(each func(string)) {
	if len(l.rest) > 0 {
		each(string(bytes.TrimRight(l.rest, "\r")))
	}
}

func (o *output) line(text string) {
	o.log(text)
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.last) == tailLines {
		o.last = append(o.last[:0], o.last[1:]...)
	}
	o.last = append(o.last, text[:min(len(text), maxTailLine)])
}

// handed closes this process's copies of what the child writes to.
func (o *output) handed() {
	for _, f := range o.ends {
		_ = f.Close() // the second time it says that it is closed
	}
}

// drain returns when everything was read; who holds a stream open beyond the
// rank's end is not listened to for long.
func (o *output) drain() {
	o.handed()
	late := time.AfterFunc(lingering, func() {
		for _, f := range o.ours {
			_ = f.SetReadDeadline(time.Now())
		}
	})
	defer late.Stop()
	o.read.Wait()
}

// tail is the last lines.
func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.ToValidUTF8(strings.Join(o.last, "\n"), "\uFFFD")
}

// lastLine is the newest.
func (o *output) lastLine() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.last) == 0 {
		return ""
	}
	return strings.ToValidUTF8(o.last[len(o.last)-1], "\uFFFD")
}
