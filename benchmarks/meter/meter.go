package meter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Cost is what a command took.
type Cost struct {
	Wall time.Duration
	CPU  time.Duration // user and system
}

// Meter counts the CPU of the commands run through it. Not safe for
// concurrent runs, which it could not tell apart.
type Meter struct{ group *group }

// New makes a meter. Close removes what it made.
func New() *Meter { return &Meter{newGroup()} }

// Whole reports whether the cost of a run includes processes that outlived
// their parents.
func (m *Meter) Whole() bool { return m.group != nil }

func (m *Meter) Close() error {
	if m.group == nil {
		return nil
	}
	return m.group.close()
}

// Command is what to run.
type Command struct {
	Args []string
	Dir  string
	Env  []string // added to the environment
	In   io.Reader
}

// Run runs c to its end and returns its standard output. An error shows the
// command and the end of its standard error. When ctx ends the command and
// its process group are killed.
func (m *Meter) Run(ctx context.Context, c Command) ([]byte, Cost, error) {
	var before time.Duration
	if m.group != nil {
		var err error
		if before, err = m.group.cpu(); err != nil {
			return nil, Cost{}, err
		}
	}
	cmd := m.command(ctx, c)
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.In, &out, &stderr
	began := time.Now()
	err := cmd.Run()
	cost := Cost{Wall: time.Since(began)}
	if ctx.Err() != nil {
		return nil, cost, context.Cause(ctx)
	}
	if err != nil {
		return out.Bytes(), cost, fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, tail(stderr.Bytes()))
	}
	cost.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if m.group != nil {
		after, err := m.group.cpu()
		if err != nil {
			return nil, cost, err
		}
		cost.CPU = after - before
	}
	return out.Bytes(), cost, nil
}

// CPU is the time of all commands so far; 0 without a group.
func (m *Meter) CPU() (time.Duration, error) {
	if m.group == nil {
		return 0, nil
	}
	return m.group.cpu()
}

func (m *Meter) command(ctx context.Context, c Command) *exec.Cmd {
	args := c.Args
	if m.group != nil {
		args = m.group.wrap(args)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// tail is the end of what a command complained of.
func tail(p []byte) []byte {
	const most = 2000
	p = bytes.TrimSpace(p)
	return p[max(0, len(p)-most):]
}

// Serve starts c and waits for the first line of its standard error, which
// says that it is ready. Its CPU counts in the runs that follow.
func (m *Meter) Serve(ctx context.Context, c Command) (*Server, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := m.command(context.WithoutCancel(ctx), c)
	cmd.Stderr = w
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	s := &Server{cmd: cmd, drained: make(chan struct{})}
	said := make(chan string, 1)
	go s.drain(r, said)
	select {
	case line, ok := <-said:
		if ok {
			s.Line = strings.TrimSpace(line)
			return s, nil
		}
		return nil, errors.Join(fmt.Errorf("%s ended before it was ready", strings.Join(c.Args, " ")), s.Stop())
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), s.Stop())
	}
}

// Server is a command that stays.
type Server struct {
	Line    string // the first it said
	cmd     *exec.Cmd
	drained chan struct{}
}

// drain reads what the server says, so that it never waits for us. The first
// line goes to said, which is closed if there is none.
func (s *Server) drain(r *os.File, said chan<- string) {
	defer close(s.drained)
	defer r.Close()
	var first []byte
	buf := make([]byte, 4096)
	for told := false; ; {
		n, err := r.Read(buf)
		if !told {
			first = append(first, buf[:n]...)
			if line, _, ok := bytes.Cut(first, []byte{'\n'}); ok {
				said <- string(line)
				told = true
			}
		}
		if err != nil {
			if !told {
				close(said)
			}
			return
		}
	}
}

// Stop asks the server to end and waits until it has; after half a minute it
// is killed.
func (s *Server) Stop() error {
	s.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	var err error
	select {
	case err = <-done:
	case <-time.After(30 * time.Second):
		err = fmt.Errorf("did not end within 30 s of SIGTERM")
		syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-done
	}
	return err
}
