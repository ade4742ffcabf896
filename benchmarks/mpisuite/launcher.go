package mpisuite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"time"
)

// Launcher starts the ranks of a case.
type Launcher interface {
	Name() string
	// Launch runs a case in dir until it ends, or ctx does. What its ranks said on
	// both streams is returned with any error.
	Launch(ctx context.Context, dir string, c *Case) (output string, code int, err error)
}

// Program is a launcher that is a program, told what to run as mpiexec is.
type Program struct {
	Called string
	Argv   []string       // its own, before "-n"
	Own    *regexp.Regexp // what it says itself, which is no output of the ranks; nil: nothing
}

// Hydra is MPICH's own launcher.
func Hydra() *Program { return &Program{Called: "hydra", Argv: []string{"mpiexec.hydra"}} }

// Mpiexec is "capstan mpiexec" of a binary. address is the host's; "": it starts
// one for the occasion.
func Mpiexec(binary, address string) *Program {
	c := &Program{Called: "capstan", Argv: []string{binary}, Own: regexp.MustCompile(`(?m)^mpiexec: job .*\n|^\[\d+\] `)}
	if address != "" {
		c.Argv = append(c.Argv, "--host", address)
	}
	// A case asks for little, so that it waits for nothing else that the host runs.
	c.Argv = append(c.Argv, "mpiexec", "-cpu", "100m")
	return c
}

// Name is [Launcher]'s.
func (l *Program) Name() string { return l.Called }

// grace is how long a launcher has to end its ranks when it is told to.
const grace = 8 * time.Second

// Launch is [Launcher]'s. A launcher that is out of time is asked to end its
// ranks before it is killed.
func (l *Program) Launch(ctx context.Context, dir string, c *Case) (string, int, error) {
	argv := append(append(l.Argv[:len(l.Argv):len(l.Argv)], "-n", fmt.Sprint(c.Ranks)), c.Argv...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), c.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // whoever of the group is left
	}
	said := out.String()
	if l.Own != nil {
		said = l.Own.ReplaceAllString(said, "")
	}
	if ctx.Err() != nil {
		return said, -1, context.Cause(ctx)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return said, -1, err
	}
	return said, cmd.ProcessState.ExitCode(), nil
}
