package plugins

import (
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// launchpad starts processes from one operating-system thread that lives as
// long as the supervisor: the kernel kills them when it is gone (law P6).
type launchpad struct {
	dir          string // private, for sockets
	startTimeout time.Duration

	starts chan func()
	quit   chan struct{}
	closed sync.Once
}

func newLaunchpad(dir string, startTimeout time.Duration) *launchpad {
	l := &launchpad{dir: dir, startTimeout: startTimeout, starts: make(chan func()), quit: make(chan struct{})}
	go func() {
		// Never unlocked: the thread ends with this goroutine, and a thread
		// that others run on could end at any time.
		runtime.LockOSThread()
		for {
			select {
			case start := <-l.starts:
				start()
			case <-l.quit:
				return
			}
		}
	}()
	return l
}

// close ends the thread. A start that comes later is refused.
func (l *launchpad) close() { l.closed.Do(func() { close(l.quit) }) }

// plainEnv is the part of the host's environment that a plugin gets (law P7).
func plainEnv() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "GOCOVERDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// cmdRunner implements go-plugin's runner.Runner over an exec.Cmd.
type cmdRunner struct {
	pad    *launchpad
	cmd    *exec.Cmd
	stdout io.ReadCloser
	stderr io.ReadCloser
	exited chan struct{} // closed when the process was waited for

	mu  sync.Mutex
	pid int
}

func (l *launchpad) newRunner(c *exec.Cmd) (*cmdRunner, error) {
	r := &cmdRunner{pad: l, cmd: c, exited: make(chan struct{})}
	dieWithParent(c)
	var err error
	if r.stdout, err = c.StdoutPipe(); err != nil {
		return nil, err
	}
	if r.stderr, err = c.StderrPipe(); err != nil {
		return nil, err
	}
	return r, nil
}

// Start implements runner.Runner.
func (r *cmdRunner) Start(context.Context) error {
	result := make(chan error, 1)
	select {
	case r.pad.starts <- func() { result <- r.cmd.Start() }:
	case <-r.pad.quit:
		return errClosed
	}
	if err := <-result; err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pid = r.cmd.Process.Pid
	return nil
}

func (r *cmdRunner) started() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pid != 0
}

// Wait implements runner.Runner. go-plugin calls it once, after it has read
// all of stdout and stderr.
func (r *cmdRunner) Wait(context.Context) error {
	defer close(r.exited)
	return r.cmd.Wait()
}

// Kill implements runner.Runner.
func (r *cmdRunner) Kill(context.Context) error {
	if !r.started() {
		return nil
	}
	return r.cmd.Process.Kill()
}

// state is how the process ended, once exited is closed.
func (r *cmdRunner) state() string { return r.cmd.ProcessState.String() }

// killed says, once exited is closed, whether the process was ended by SIGKILL.
func (r *cmdRunner) killed() bool {
	status, ok := r.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

func (r *cmdRunner) Stdout() io.ReadCloser { return r.stdout }
func (r *cmdRunner) Stderr() io.ReadCloser { return r.stderr }
func (r *cmdRunner) Name() string          { return r.cmd.Args[0] }

func (r *cmdRunner) ID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pid == 0 {
		return ""
	}
	return strconv.Itoa(r.pid)
}

// Diagnose implements runner.Runner.
func (r *cmdRunner) Diagnose(context.Context) string {
	return "is it a Capstan plugin, built for this machine?"
}

// PluginToHost implements runner.Runner: both see the same files.
func (r *cmdRunner) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.Runner.
func (r *cmdRunner) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
