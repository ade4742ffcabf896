package work

import (
	"os/exec"
	"syscall"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/command"
	"github.com/capstan-run/capstan/frameworks/batch/task"
)

// process is a running command and its group.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it was waited for
}

// start starts cmd.
func start(cmd *exec.Cmd) (*process, error) {
	if err := command.Start(cmd); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = p.cmd.Wait() // its status is asked for later
		close(p.ended)
	}()
	return p, nil
}

// signal sends s to the whole group.
func (p *process) signal(s syscall.Signal) { command.Signal(p.cmd, s) }

// report kills what the command left running and says how it ended. The command
// must have ended.
func (p *process) report(d *task.Done) {
	p.signal(syscall.SIGKILL)
	st := p.cmd.ProcessState
	d.Code = st.ExitCode()
	if s, ok := command.KilledBy(st); ok {
		d.Signal = int(s)
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

// signals are those a job can name, and the one it cannot.
var signals = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT,
	"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "CONT": syscall.SIGCONT, "ALRM": syscall.SIGALRM,
	"URG": syscall.SIGURG, "XCPU": syscall.SIGXCPU, "KILL": syscall.SIGKILL,
}
