package script

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/command"
)

// Command is what to start.
type Command struct {
	// Argv is the command and its arguments. A command without a slash is
	// looked up in the PATH of Env.
	Argv []string
	Dir  string
	Env  []string // all of the environment, "NAME=value"
	// Counter and Status take what the script reports, Log the other lines of
	// its stderr, at most a hundred a second. They are called one at a time,
	// from a goroutine of the process; nil ones drop.
	Counter func(group, name string, amount int64)
	Status  func(text string)
	Log     func(line string)
}

const (
	// pipeSize is what an unprivileged process may have without asking.
	pipeSize = 1 << 20
	// lingering is how long children of an ended command may keep its output open.
	lingering = 5 * time.Second
)

// Process is a running command. Write and CloseInput belong to one goroutine,
// reading to another; Wait comes after both.
type Process struct {
	name   string
	cmd    *exec.Cmd
	stdin  *os.File
	stdout *os.File
	errs   *stderr
	ended  chan struct{} // the command has ended and was waited for
	exit   error         // of exec.Cmd.Wait; after ended
	ctx    context.Context
	unhook func() bool
	once   sync.Once
}

// Start starts c. When ctx ends its whole process group is killed.
func Start(ctx context.Context, c Command) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cmd, err := command.New(c.Argv, c.Dir, c.Env)
	if err != nil {
		return nil, err
	}
	var pipes pipes
	inR, inW := pipes.open()
	outR, outW := pipes.open()
	errR, errW := pipes.open()
	if pipes.err != nil {
		pipes.close()
		return nil, pipes.err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inR, outW, errW
	p := &Process{name: c.Argv[0], cmd: cmd, stdin: inW, stdout: outR, ended: make(chan struct{}), ctx: ctx}
	if err := command.Start(cmd); err != nil {
		pipes.close()
		return nil, err
	}
	for _, f := range []*os.File{inR, outW, errW} {
		_ = f.Close() // the child has its own
	}
	p.errs = newStderr(errR, c)
	p.unhook = context.AfterFunc(ctx, p.Kill)
	go p.reap()
	return p, nil
}

// pipes are opened together, or closed together.
type pipes struct {
	files []*os.File
	err   error
}

func (p *pipes) open() (r, w *os.File) {
	if p.err != nil {
		return nil, nil
	}
	if r, w, p.err = os.Pipe(); p.err != nil {
		p.err = core.Errorf(core.Failed, "no pipe to a script: %v", p.err).Do("raise the limit of open files")
		return nil, nil
	}
	if raw, err := w.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) // a smaller pipe works, slower
		})
	}
	p.files = append(p.files, r, w)
	return r, w
}

func (p *pipes) close() {
	for _, f := range p.files {
		_ = f.Close()
	}
}

// Kill kills the command and its process group. Wait is still due.
func (p *Process) Kill() { command.Kill(p.cmd) }

// reap waits for the command, then bounds the wait for the end of its output.
func (p *Process) reap() {
	p.exit = p.cmd.Wait()
	close(p.ended)
	_ = p.stdout.SetReadDeadline(time.Now().Add(lingering))
}

// Write hands bytes to the command. Once it no longer reads, Write answers
// syscall.EPIPE: that is no fault (law X1).
func (p *Process) Write(b []byte) (int, error) { return p.stdin.Write(b) }

// Closed reports whether err of Write says that the command no longer reads.
func Closed(err error) bool { return errors.Is(err, syscall.EPIPE) }

// CloseInput ends the command's input.
func (p *Process) CloseInput() { _ = p.stdin.Close() }

// Read reads the command's output. What still holds the output open without a
// word, a few seconds after the command has ended, is killed.
func (p *Process) Read(b []byte) (int, error) {
	select {
	case <-p.ended:
		_ = p.stdout.SetReadDeadline(time.Now().Add(lingering))
	default:
	}
	n, err := p.stdout.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.Kill()
		err = core.Errorf(core.Failed, "%s has ended, but a process it started keeps its output open", p.name).
			Do("let the script wait for what it starts")
	}
	return n, err
}

// Wait ends the input, waits for the end of the command and kills what it left
// running. It returns nil for status 0, the context's error if that ended, and
// else an error with the end of stderr. Output that was not read is lost. It
// may be called again.
func (p *Process) Wait() error {
	p.once.Do(func() {
		p.CloseInput()
		_ = p.stdout.Close()
		<-p.ended
		p.Kill()
		p.unhook()
		p.errs.wait()
	})
	if err := p.ctx.Err(); err != nil {
		return err
	}
	return p.exitError()
}

func (p *Process) exitError() error {
	if p.exit == nil {
		return nil
	}
	var status *exec.ExitError
	if !errors.As(p.exit, &status) {
		return p.exit
	}
	what := fmt.Sprintf("%s ended with exit status %d", p.name, status.ExitCode())
	remedy := "see its last words below; try it by hand on a few lines of the input"
	if s, ok := command.KilledBy(status.ProcessState); ok {
		what = fmt.Sprintf("%s was killed by signal %d (%s)", p.name, int(s), s)
		if s == syscall.SIGKILL {
			remedy = "it may have run out of memory: raise gang.memory or lower tasks.slots"
		}
	}
	e := core.Errorf(core.Failed, "%s", what).Do(remedy)
	e.Detail = p.errs.tail()
	return e
}
