package meter

import (
	"bufio"
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

// Close ends what commands left running, and removes what the meter made.
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
	// Cancel ends the command when the context of its run has ended: half a
	// minute later it is killed. Default: kill its process group at once.
	Cancel func() error
}

// Run runs c to its end and returns its standard output. An error shows the
// command and the end of its standard error. When ctx ends the command is
// cancelled.
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
	if c.Cancel != nil {
		cmd.Cancel = c.Cancel
	}
	cmd.WaitDelay = patience
	return cmd
}

// patience is how long a command that was asked to end may take.
const patience = 30 * time.Second

// tailSize is how many bytes of a command's complaints an error shows.
const tailSize = 2000

func tail(p []byte) []byte {
	p = bytes.TrimSpace(p)
	return p[max(0, len(p)-tailSize):]
}

// Serve starts c and waits until a line of its standard error begins with
// ready. Its CPU counts in the runs that follow. An error shows what it said
// instead.
func (m *Meter) Serve(ctx context.Context, c Command, ready string) (*Server, error) {
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
	s := &Server{cmd}
	up, over := make(chan struct{}), make(chan []byte, 1)
	go func() {
		defer r.Close()
		over <- listen(r, ready, up)
	}()
	select {
	case <-up:
		return s, nil
	case said := <-over:
		return nil, errors.Join(fmt.Errorf("%s ended before it was ready\n%s", strings.Join(c.Args, " "), said), s.Stop())
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), s.Stop())
	}
}

// listen reads r to its end, so that who writes it never waits. It closes up
// at the first line that begins with ready, and returns the end of what was
// said.
func listen(r io.Reader, ready string, up chan<- struct{}) []byte {
	var said []byte
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadSlice('\n')
		said = append(said, line...)
		said = said[max(0, len(said)-tailSize):]
		if up != nil && bytes.HasPrefix(line, []byte(ready)) {
			close(up)
			up = nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return said
		}
	}
}

// Server is a command that stays.
type Server struct{ cmd *exec.Cmd }

// Stop asks the server to end and waits until it has, or kills it.
func (s *Server) Stop() error {
	s.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	var err error
	select {
	case err = <-done:
	case <-time.After(patience):
		err = fmt.Errorf("did not end within %v of SIGTERM", patience)
		syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-done
	}
	return err
}
