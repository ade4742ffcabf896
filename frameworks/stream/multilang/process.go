package multilang

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/command"
	"github.com/capstan-run/capstan/core/executor/output"
	"github.com/capstan-run/capstan/frameworks/stream/operator"
)

// openWithin is how long a process may take to answer the handshake.
const openWithin = 60 * time.Second

// process is a running one that has answered the handshake. Its messages go to
// hear, from one goroutine, and so does its end: hear gets nil then, and ended
// says why.
type process struct {
	name   string
	cmd    *exec.Cmd
	pidDir string
	stdin  *os.File
	stdout *os.File
	stderr *output.Stream
	tail   output.Tail
	heard  atomic.Int64 // Unix nanoseconds of the last word
	reason atomic.Pointer[string]

	all sync.WaitGroup

	mu     sync.Mutex
	queue  [][]byte
	more   chan struct{}
	closed chan struct{}
	once   sync.Once
}

// start starts a component's process and shakes hands. hear is called for each
// of its messages until the process has ended, then once with nil and why.
func start(ctx context.Context, m operator.Make, hear func(*message, error)) (*process, error) {
	c := m.Task.Component
	p := &process{name: fmt.Sprintf("%s (%s)", c.ID, c.Exec[0]), more: make(chan struct{}, 1), closed: make(chan struct{})}
	env := slices.Clone(m.Env)
	for k, v := range c.Env {
		env = append(env, k+"="+v)
	}
	var err error
	if p.cmd, err = command.New(c.Exec, m.Dir, env); err != nil {
		return nil, err
	}
	if p.pidDir, err = os.MkdirTemp(m.Scratch, "capstan-pids-"); err != nil {
		return nil, err
	}
	if err := p.spawn(m); err != nil {
		os.RemoveAll(p.pidDir)
		return nil, err
	}
	p.send(hello(m, p.pidDir))
	p.all.Go(p.write)
	frames := newFrames(p.stdout)
	if err := p.greet(ctx, frames); err != nil {
		err = p.ended(err)
		p.close()
		return nil, err
	}
	p.all.Go(func() {
		hear(nil, p.ended(p.listen(frames, hear)))
	})
	return p, nil
}

// spawn starts the command with its pipes.
func (p *process) spawn(m operator.Make) error {
	inR, inW, err := os.Pipe()
	if err != nil {
		return err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return errors.Join(err, inR.Close(), inW.Close())
	}
	p.stderr, err = output.Open(nil, func(line string) {
		p.tail.Add(line)
		m.Logger.Info(line, "component", m.Task.Component.ID, "task", m.Task.ID)
	})
	if err != nil {
		return errors.Join(err, inR.Close(), inW.Close(), outR.Close(), outW.Close())
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = inR, outW, p.stderr.Program()
	err = command.Start(p.cmd)
	_, _ = inR.Close(), outW.Close() // the child has its own
	p.stderr.Started()
	if err != nil {
		output.Drain(p.stderr)
		return errors.Join(err, inW.Close(), outR.Close())
	}
	p.stdin, p.stdout = inW, outR
	return nil
}

// greet waits for the pid.
func (p *process) greet(ctx context.Context, f *frames) error {
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	defer context.AfterFunc(ctx, func() { p.kill("it did not answer the handshake") })()
	b, err := f.next()
	if err != nil {
		return err
	}
	m, err := parse(b)
	if err == nil && m.Pid == "" {
		err = fmt.Errorf("%w: it answered the handshake with %.80q, not with its pid", errProtocol, b)
	}
	p.heard.Store(time.Now().UnixNano())
	return err
}

// listen hands messages on until there are no more, and says why.
func (p *process) listen(f *frames, hear func(*message, error)) error {
	for {
		b, err := f.next()
		if err != nil {
			return err
		}
		p.heard.Store(time.Now().UnixNano())
		m, err := parse(b)
		if err != nil {
			return fmt.Errorf("%w: %w", errProtocol, err)
		}
		hear(m, nil)
	}
}

// kill ends the process, for a reason, if there is one to tell.
func (p *process) kill(reason string) {
	if reason != "" {
		p.reason.CompareAndSwap(nil, &reason)
	}
	command.Kill(p.cmd)
}

// ended waits for the process to be gone, once it says no more for cause, and
// tells how it ended.
func (p *process) ended(cause error) error {
	command.Kill(p.cmd)
	err := p.cmd.Wait()
	output.Drain(p.stderr)
	what := "it ended with exit status 0"
	var status *exec.ExitError
	switch reason := p.reason.Load(); {
	case reason != nil:
		what = *reason
	case errors.Is(cause, errProtocol):
		what = cause.Error()
	case errors.As(err, &status):
		what = "it ended with " + status.String()
		if s, ok := command.KilledBy(status.ProcessState); ok {
			what = "it was killed by signal " + strconv.Itoa(int(s))
		}
	case cause != nil && !errors.Is(cause, io.EOF):
		what = cause.Error()
	}
	e := core.Errorf(core.Failed, "process of %s: %s", p.name, what).Do("see its last words, and try it by hand")
	e.Detail = p.tail.String()
	return e
}

// send leaves a message for the goroutine that writes.
func (p *process) send(messages ...[]byte) {
	p.mu.Lock()
	p.queue = append(p.queue, messages...)
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// write writes what is sent. An error is the process's end, which its reader
// tells.
func (p *process) write() {
	for {
		p.mu.Lock()
		list := p.queue
		p.queue = nil
		p.mu.Unlock()
		var b []byte
		for _, m := range list {
			b = append(b, m...)
		}
		if len(b) > 0 {
			if _, err := p.stdin.Write(b); err != nil {
				return
			}
			continue
		}
		select {
		case <-p.more:
		case <-p.closed:
			return
		}
	}
}

// close ends the process and all that belongs to it. It may be called again.
func (p *process) close() {
	p.once.Do(func() {
		close(p.closed)
		command.Kill(p.cmd)
		p.stdin.Close()
		_ = p.stdout.SetReadDeadline(time.Now().Add(time.Second)) // what left its group may hold it open
		p.all.Wait()
		p.stdout.Close()
		os.RemoveAll(p.pidDir)
	})
}
