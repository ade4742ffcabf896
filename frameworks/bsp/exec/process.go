package exec

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/command"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

const (
	// silence is how long a process may say nothing before the log names it.
	silence = time.Minute
	// parting is how long a process may take to end after it was told to, or
	// after it has closed its output.
	parting = 10 * time.Second
)

// process is a running command.
type process struct {
	name   string
	cmd    *exec.Cmd
	log    *slog.Logger
	stdin  io.WriteCloser
	reader *bufio.Reader // of its stdout
	out    *os.File
	errs   *tail
	most   int64 // bytes in a batch
	place  *place
	unhook func() bool
	ended  chan struct{}
	exit   error // after ended
}

func start(ctx context.Context, c Command, p *peer.Peer) (*process, error) {
	if len(c.Argv) == 0 {
		return nil, core.Errorf(core.Invalid, "the command is empty").At("spec.algorithm.exec").Do("name a program")
	}
	x := &process{name: c.Argv[0], log: p.Log(), most: p.Memory(), ended: make(chan struct{})}
	x.errs = newTail(func(line string) { x.log.Info(line, "command", x.name) })
	var err error
	if x.place, err = c.place(p.Scratch()); err != nil {
		return nil, err
	}
	env := x.place.environ(c, p)
	if x.cmd, err = command.New(c.Argv, x.place.dir, env); err != nil {
		x.place.remove()
		return nil, startError(err)
	}
	x.cmd.Stderr = x.errs
	x.cmd.WaitDelay = time.Second // what its children hold open does not keep it from having ended
	if err := x.pipe(); err != nil {
		x.place.remove()
		return nil, err
	}
	x.reader = bufio.NewReaderSize(&patient{p: x}, 256<<10)
	x.unhook = context.AfterFunc(ctx, x.signal)
	go func() {
		x.exit = x.cmd.Wait()
		close(x.ended)
	}()
	return x, nil
}

// pipe starts the command between two pipes.
func (p *process) pipe() error {
	inR, inW, err := os.Pipe()
	if err != nil {
		return err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		_, _ = inR.Close(), inW.Close()
		return err
	}
	p.cmd.Stdin, p.cmd.Stdout, p.stdin, p.out = inR, outW, inW, outR
	err = command.Start(p.cmd)
	_, _ = inR.Close(), outW.Close() // the child has its own
	if err != nil {
		_, _ = inW.Close(), outR.Close()
		return startError(err)
	}
	return nil
}

// startError is err with the place in the document.
func startError(err error) error { return core.AsError(err).At("spec.algorithm.exec") }

// patient reads stdout, and names the process in the log where it is silent.
type patient struct{ p *process }

func (r *patient) Read(b []byte) (int, error) {
	for {
		_ = r.p.out.SetReadDeadline(time.Now().Add(silence))
		n, err := r.p.out.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		r.p.remind()
	}
}

func (p *process) remind() {
	p.log.Warn(fmt.Sprintf("%s has said nothing for %v", p.name, silence), "stderr", p.errs.text())
}

// writing runs f beside the reading, lest both wait for the other.
func (p *process) writing(f func() error) <-chan error {
	c := make(chan error, 1)
	go func() { c <- f() }()
	return c
}

// written is a writing that is over.
func written() <-chan error {
	c := make(chan error, 1)
	c <- nil
	return c
}

// wait waits for what is being written, which the process may not be reading.
func (p *process) wait(c <-chan error) error {
	for {
		select {
		case err := <-c:
			if errors.Is(err, syscall.EPIPE) {
				return io.EOF
			}
			return err
		case <-time.After(silence):
			p.remind()
		}
	}
}

// fault ends the process and says why, of what could not be read and written.
func (p *process) fault(c <-chan error, reading error) error {
	if errors.Is(reading, io.EOF) {
		p.rest()
	}
	p.kill()
	writing := <-c
	var other innocent
	if errors.As(writing, &other) {
		return writing
	}
	return reading
}

// rest gives a process that has closed its output the time to end by itself, so
// that its exit status is known.
func (p *process) rest() {
	t := time.NewTimer(parting)
	defer t.Stop()
	select {
	case <-p.ended:
	case <-t.C:
	}
}

// empty writes a stream without columns.
func (p *process) empty(kind string, about map[string]string) error {
	return ipc.NewWriter(p.stdin, ipc.WithSchema(arrow.NewSchema(nil, metadata(about, kind)))).Close()
}

// finish lets the process end.
func (p *process) finish() error {
	_ = p.stdin.Close()
	p.rest()
	select {
	case <-p.ended:
	default:
		return fmt.Errorf("it has not ended %v after its input did", parting)
	}
	if p.exit != nil {
		return io.EOF
	}
	return nil
}

// signal kills the process and its group.
func (p *process) signal() { command.Kill(p.cmd) }

// kill ends the process, its group and its pipes.
func (p *process) kill() {
	p.unhook()
	p.signal()
	<-p.ended
	_, _ = p.stdin.Close(), p.out.Close()
	p.place.remove()
}

// innocent is an error that is not the process's.
type innocent struct{ error }

func (e innocent) Unwrap() error { return e.error }

// blame makes the error of the job of what the process did wrong.
func (p *process) blame(err error, step int64) error {
	var other innocent
	if errors.As(err, &other) {
		return other.error
	}
	what := fmt.Sprintf("%s: %v", p.name, err)
	remedy := "see its last words below, and the protocol in the documentation of exec"
	if errors.Is(err, io.EOF) {
		p.rest()
		what = p.name + " ended before it was told to"
		select {
		case <-p.ended:
			what = fmt.Sprintf("%s %s", p.name, status(p.exit))
		default:
		}
		remedy = "see its last words below; a peer reads streams until its stdin ends"
	}
	p.kill()
	e := core.Errorf(core.Failed, "%s", what).Do(remedy)
	if step >= 0 {
		_ = e.At(fmt.Sprintf("superstep %d", step))
	}
	e.Detail = p.errs.text()
	return e
}

func status(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "ended before it was told to"
	case !errors.As(err, &exit):
		return "ended: " + err.Error()
	}
	if s, ok := command.KilledBy(exit.ProcessState); ok {
		return fmt.Sprintf("was killed by signal %d (%s)", int(s), s)
	}
	return fmt.Sprintf("ended with exit status %d", exit.ExitCode())
}
