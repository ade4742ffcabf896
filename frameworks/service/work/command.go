package work

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core/executor/command"
	"github.com/capstan-run/capstan/frameworks/artifact"
	"github.com/capstan-run/capstan/frameworks/service/spec"
	"github.com/capstan-run/capstan/frameworks/service/wire"
)

// maxLine is the longest line of output that is logged in one piece.
const maxLine = 16 << 10

// running is a copy's command that was started.
type running struct {
	cmd    *exec.Cmd
	name   string
	output *os.File
	log    *slog.Logger
	prefix string
	read   chan struct{} // closed when the output has been read
}

// start runs a copy's command in its place.
func start(p place, r *wire.Run, ports []int, log *slog.Logger) (*running, error) {
	argv, err := p.argv(r.Body)
	if err != nil {
		return nil, err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("no pipe for the command's output: %w", err)
	}
	defer in.Close()
	cmd, err := command.New(argv, p.dir, p.environ(r, ports))
	if err == nil {
		cmd.Stdout, cmd.Stderr = in, in
		err = command.Start(cmd)
	}
	if err != nil {
		out.Close()
		return nil, err
	}
	c := &running{name: argv[0], cmd: cmd, output: out, log: log, prefix: r.Copy, read: make(chan struct{})}
	go c.logOutput()
	return c, nil
}

// logOutput passes the command's output on, line by line.
func (c *running) logOutput() {
	defer close(c.read)
	defer c.output.Close()
	r := bufio.NewReaderSize(c.output, maxLine)
	for {
		line, err := r.ReadSlice('\n')
		if text := strings.TrimRight(string(line), "\r\n"); text != "" {
			c.log.Info(c.prefix + " | " + text)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			_, _ = io.Copy(io.Discard, c.output)
			return
		}
	}
}

// wait waits for the command's end, kills what it left running, and says how it
// ended.
func (c *running) wait() string {
	err := c.cmd.Wait()
	c.kill()
	<-c.read
	var status *exec.ExitError
	switch {
	case err == nil:
		return c.name + " ended with exit status 0"
	case !errors.As(err, &status):
		return c.name + " ended: " + err.Error()
	}
	if s, ok := command.KilledBy(status.ProcessState); ok {
		return fmt.Sprintf("%s was killed by signal %d (%s)", c.name, int(s), s)
	}
	return fmt.Sprintf("%s ended with exit status %d", c.name, status.ExitCode())
}

var signals = map[string]syscall.Signal{
	"TERM": unix.SIGTERM, "INT": unix.SIGINT, "QUIT": unix.SIGQUIT, "HUP": unix.SIGHUP, "USR1": unix.SIGUSR1, "USR2": unix.SIGUSR2,
}

// signal sends a signal to the command and what it started.
func (c *running) signal(name string) {
	s, ok := signals[name]
	if !ok {
		s = unix.SIGTERM
	}
	command.Signal(c.cmd, s)
}

func (c *running) kill() { command.Kill(c.cmd) }

// argv is the command of a body as it lies here.
func (p place) argv(b *spec.Body) ([]string, error) {
	argv := append([]string{}, b.Exec...)
	argv[0] = artifact.In(p.files, argv[0])
	return argv, p.link(b)
}
