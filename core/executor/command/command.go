// Package command starts a program in an executor: found as execvp would find
// it, in a process group of its own, and with errors that say what to do.
//
// # Laws
//
//	P1  What a program starts is in its group, unless it left it: a signal
//	    reaches all of that, and so does the kill.
//	P2  A program ends with its executor, should that be killed.
//	P3  A program that cannot be started is a *core.Error that tells apart what
//	    is not there, whose interpreter is not there, what may not be run and
//	    what is no program.
//
// # Left out
//
// Streams, limits of time and what an exit code means: each framework's own.
package command

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
)

// New is a command that has not been started; the caller sets its streams. env
// is all of its environment, "NAME=value". A name without a slash is looked up
// in env's PATH, a relative one is below dir.
func New(argv []string, dir string, env []string) (*exec.Cmd, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, core.Errorf(core.Invalid, "no command").Do("name one")
	}
	path, err := lookup(argv[0], dir, env)
	if err != nil {
		return nil, err
	}
	return &exec.Cmd{Path: path, Args: argv, Dir: dir, Env: env,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}}, nil
}

// Start starts what New made.
func Start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return startError(cmd.Args[0], cmd.Path, err)
	}
	return nil
}

// Signal sends s to a started command and all of its group. They may be gone.
func Signal(cmd *exec.Cmd, s syscall.Signal) { _ = unix.Kill(-cmd.Process.Pid, s) }

// Kill kills a started command and all of its group. They may be gone. Whoever
// started it still has to wait for it.
func Kill(cmd *exec.Cmd) { Signal(cmd, unix.SIGKILL) }

// KilledBy is the signal that ended a process, if one did.
func KilledBy(st *os.ProcessState) (syscall.Signal, bool) {
	ws, ok := st.Sys().(syscall.WaitStatus)
	return ws.Signal(), ok && ws.Signaled()
}

func lookup(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			return filepath.Join(dir, name), nil
		}
		return name, nil
	}
	for _, v := range env {
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
		Do("ship it with files:, or choose an image that has it (gang.image: host gives the machine's own programs)")
}

func startError(name, path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, statErr := os.Stat(path); statErr == nil {
			return core.Errorf(core.Invalid, "the interpreter that %q names in its first line is not in the executor", name).
				Do("choose an image that has it (gang.image: host gives the machine's own programs), and check that the line does not end in a carriage return")
		}
		return notFound(name)
	case errors.Is(err, fs.ErrPermission):
		return core.Errorf(core.Invalid, "%q may not be run", name).Do("chmod +x it before you submit")
	case errors.Is(err, syscall.ENOEXEC):
		return core.Errorf(core.Invalid, "%q is neither a program for this machine nor a script", name).
			Do(`begin a script with its interpreter, such as "#!/usr/bin/env python3"`)
	}
	return core.Errorf(core.Failed, "start %q: %v", name, err)
}
