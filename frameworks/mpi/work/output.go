package work

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
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
	log  func(line string)
	ends []*os.File // the process's
	ours []*os.File
	read sync.WaitGroup

	mu   sync.Mutex
	last []string
}

func newOutput(log func(string)) *output { return &output{log: log} }

// open makes the process's streams and begins to read them.
func (o *output) open(cmd *exec.Cmd) error {
	for range 2 {
		r, w, err := os.Pipe()
		if err != nil {
			o.handed()
			return core.Errorf(core.Failed, "no pipe to the rank: %v", err).Do("raise the limit of open files")
		}
		o.ends, o.ours = append(o.ends, w), append(o.ours, r)
		o.read.Go(func() { o.listen(r) })
	}
	cmd.Stdout, cmd.Stderr = o.ends[0], o.ends[1]
	return nil
}

// listen reads a stream to its end.
func (o *output) listen(f *os.File) {
	defer f.Close()
	r := bufio.NewReaderSize(f, maxLine)
	for more := false; ; {
		part, err := r.ReadSlice('\n')
		if len(part) > 0 && !more {
			o.line(string(bytes.TrimRight(part, "\r\n")))
		}
		more = err == bufio.ErrBufferFull
		if err != nil && !more {
			return
		}
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
