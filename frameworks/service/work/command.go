package work

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/frameworks/service/spec"
	"github.com/capstan-run/capstan/frameworks/service/wire"
)

// maxLine is the longest line of output that is logged in one piece.
const maxLine = 16 << 10

// command is a process and what it starts, in a process group of its own.
type command struct {
	cmd    *exec.Cmd
	name   string
	output *os.File
	log    *slog.Logger
	prefix string
	read   chan struct{} // closed when the output has been read
}

// start runs a copy's command in its place.
func start(p place, r *wire.Run, ports []int, log *slog.Logger) (*command, error) {
	argv, err := p.argv(r.Body)
	if err != nil {
		return nil, err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("no pipe for the command's output: %w", err)
	}
	defer in.Close()
	c := &command{name: argv[0], output: out, log: log, prefix: r.Copy, read: make(chan struct{})}
	c.cmd = p.process(argv, p.environ(r, ports))
	c.cmd.Stdout, c.cmd.Stderr = in, in
	if err := c.cmd.Start(); err != nil {
		out.Close()
		return nil, startError(argv[0], err)
	}
	go c.logOutput()
	return c, nil
}

// process is a process of this place that has not been started.
func (p place) process(argv, env []string) *exec.Cmd {
	return &exec.Cmd{Path: lookup(argv[0], env), Args: argv, Dir: p.dir, Env: env,
		// A group of its own, so that a shell's children end with it; and an end
		// with the executor, should that be killed.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}}
}

// lookup finds a command as execvp would with the PATH of its environment.
func lookup(name string, env []string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for _, v := range env {
		list, ok := strings.CutPrefix(v, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(list) {
			path := filepath.Join(dir, name)
			if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				return path
			}
		}
	}
	return name
}

func startError(name string, err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("command %q is not in the executor; ship it with files:, or choose an image that has it (gang.image: host gives the machine's own programs)", name)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%q may not be run; chmod +x it before you deploy", name)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%q is neither a program for this machine nor a script that names its interpreter", name)
	}
	return fmt.Errorf("start %q: %w", name, err)
}

// logOutput passes the command's output on, line by line.
func (c *command) logOutput() {
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
func (c *command) wait() string {
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
	if ws, ok := status.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return fmt.Sprintf("%s was killed by signal %d (%s)", c.name, int(ws.Signal()), ws.Signal())
	}
	return fmt.Sprintf("%s ended with exit status %d", c.name, status.ExitCode())
}

var signals = map[string]syscall.Signal{
	"TERM": unix.SIGTERM, "INT": unix.SIGINT, "QUIT": unix.SIGQUIT, "HUP": unix.SIGHUP, "USR1": unix.SIGUSR1, "USR2": unix.SIGUSR2,
}

// signal sends a signal to the command and what it started.
func (c *command) signal(name string) {
	s, ok := signals[name]
	if !ok {
		s = unix.SIGTERM
	}
	_ = unix.Kill(-c.cmd.Process.Pid, s) // it may be gone
}

func (c *command) kill() { _ = unix.Kill(-c.cmd.Process.Pid, unix.SIGKILL) }

// argv is the command of a body as it lies here.
func (p place) argv(b *spec.Body) ([]string, error) {
	argv := append([]string{}, b.Exec...)
	if a, ok := spec.ParseArtifact(argv[0]); ok {
		argv[0] = filepath.Join(p.files, a.Base)
	}
	return argv, p.link(b)
}
