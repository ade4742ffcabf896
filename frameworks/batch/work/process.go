package work

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/task"
)

// command is what to start.
type command struct {
	argv   []string // a bare name is looked up in env's PATH
	dir    string
	env    []string // all of the environment
	stdin  *os.File
	stdout *os.File
	stderr *os.File
}

// process is a running command and its group.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it was waited for
}

// start starts c.
func start(c command) (*process, error) {
	path, err := lookup(c)
	if err != nil {
		return nil, err
	}
	p := &process{ended: make(chan struct{})}
	p.cmd = &exec.Cmd{Path: path, Args: c.argv, Dir: c.dir, Env: c.env, Stdin: c.stdin, Stdout: c.stdout, Stderr: c.stderr,
		// A group of its own, so that a shell's children end with it; and an end
		// with the executor, should that be killed.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}}
	if err := p.cmd.Start(); err != nil {
		return nil, startError(c, path, err)
	}
	go func() {
		_ = p.cmd.Wait() // its status is asked for later
		close(p.ended)
	}()
	return p, nil
}

// signal sends s to the whole group.
func (p *process) signal(s syscall.Signal) { _ = unix.Kill(-p.cmd.Process.Pid, s) }

// report kills what the command left running and says how it ended. The command
// must have ended.
func (p *process) report(d *task.Done) {
	p.signal(syscall.SIGKILL)
	st := p.cmd.ProcessState
	d.Code = st.ExitCode()
	if ws, ok := st.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		d.Signal = int(ws.Signal())
		d.Code = 128 + d.Signal
	}
	d.CPU = st.UserTime() + st.SystemTime()
	if u, ok := st.SysUsage().(*syscall.Rusage); ok {
		d.MaxRSS = core.Bytes(u.Maxrss) << 10
		var own syscall.Rusage
		if syscall.Getrusage(syscall.RUSAGE_SELF, &own) == nil {
			d.AtMost = u.Maxrss <= own.Maxrss
		}
	}
}

// lookup finds the command as execvp would with the PATH of its environment.
func lookup(c command) (string, error) {
	name := c.argv[0]
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			return filepath.Join(c.dir, name), nil
		}
		return name, nil
	}
	for _, v := range c.env {
		list, ok := strings.CutPrefix(v, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(list) {
			path := filepath.Join(dir, name)
			if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				return path, nil
			}
		}
	}
	return "", notFound(name)
}

func notFound(name string) *core.Error {
	return core.Errorf(core.Invalid, "command %q is not in the executor", name).
		Do("ship it: write ./" + filepath.Base(name) + " or list it in spec.files; or choose an image that has it (gang.image: host gives the machine's own programs)")
}

func startError(c command, path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, statErr := os.Stat(path); statErr == nil {
			return core.Errorf(core.Invalid, "the interpreter that %q names in its first line is not in the executor", c.argv[0]).
				Do("choose an image that has it (gang.image: host gives the machine's own programs), and check that the line does not end in a carriage return")
		}
		return notFound(c.argv[0])
	case errors.Is(err, fs.ErrPermission):
		return core.Errorf(core.Invalid, "%q may not be run", c.argv[0]).Do("chmod +x it before you submit")
	case errors.Is(err, syscall.ENOEXEC):
		return core.Errorf(core.Invalid, "%q is neither a program for this machine nor a script", c.argv[0]).
			Do(`begin a script with its interpreter, such as "#!/usr/bin/env python3"`)
	}
	return core.Errorf(core.Failed, "start %q: %v", c.argv[0], err)
}

// signals are those a job can name, and the one it cannot.
var signals = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT,
	"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "CONT": syscall.SIGCONT, "ALRM": syscall.SIGALRM,
	"URG": syscall.SIGURG, "XCPU": syscall.SIGXCPU, "KILL": syscall.SIGKILL,
}
