// Package spec is the body of a Batch document: its form, its defaults and its
// faults.
//
// # Laws
//
//	S1  A body that Check finds no fault in can be run: what is missing then is
//	    missing in the executor (a program, a folder), and the task says so.
//	S2  Paths of streams mean the machine of the host, s3:// the store. Neither
//	    has two tasks of one job write to one place.
//
// # Left out
//
// Where a script came from and what its directives said: package directives.
package spec

import (
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Body is `spec:` of a Batch document, with its defaults filled in by [Parse].
type Body struct {
	// Command is a program and its arguments. A local file (./train) is shipped.
	// A body has either Command or Script.
	Command []string `json:"command,omitempty"`
	// Script is a script's text, with its first line #!.
	Script string   `json:"script,omitempty"`
	Args   []string `json:"args,omitempty"`  // of the script
	Shell  string   `json:"shell,omitempty"` // runs the script in place of what its #! line names
	// Per is "rank" (default): every rank runs the command; or "gang": rank 0
	// does, and finds the others in a host file.
	Per string `json:"per,omitempty"`
	// Slots is how many processes of a parallel program belong on each rank:
	// so often the host file names its node. Default 1.
	Slots   int               `json:"slots,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
	Workdir string            `json:"workdir,omitempty"` // absolute; default: a folder of the try's own
	Files   []string          `json:"files,omitempty"`   // shipped; linked into the working directory

	Stdin  string `json:"stdin,omitempty"`  // a shipped file, an absolute path or s3://; default: nothing
	Stdout string `json:"stdout,omitempty"` // an absolute path or s3:// beside the job's log
	Stderr string `json:"stderr,omitempty"` // as Stdout; equal to it: one stream

	Retries int           `json:"retries,omitempty"` // further tries of a task that failed
	RetryOn []int         `json:"retryOn,omitempty"` // exit codes that are worth another try; default: all
	Success []int         `json:"success,omitempty"` // exit codes of a task that went well; default 0
	Timeout core.Duration `json:"timeout,omitempty"` // of one try; 0: no limit
	Signal  Signal        `json:"signal,omitzero"`
}

// Signal is how a task is told that it will be ended, so that it can keep what
// it needs to go on.
type Signal struct {
	Name string `json:"name,omitempty"` // "TERM" (default), "USR1", …
	// Before also sends it so long before the job's walltime is over.
	Before core.Duration `json:"before,omitempty"`
}

// ByGang reports whether the command runs once for the gang.
func (b *Body) ByGang() bool { return b.Per == "gang" }

// Merged reports whether stderr goes where stdout goes, as one stream.
func (b *Body) Merged() bool { return b.Stdout != "" && b.Stdout == b.Stderr }

// Succeeds reports whether code is one of a task that went well.
func (b *Body) Succeeds(code int) bool { return has(b.Success, code) }

// WorthAnother reports whether a task that ended with code should be tried
// again, if it may.
func (b *Body) WorthAnother(code int) bool { return len(b.RetryOn) == 0 || has(b.RetryOn, code) }

func has(list []int, n int) bool {
	for _, v := range list {
		if v == n {
			return true
		}
	}
	return false
}

// Interpreter is the program that runs the script, and its one argument, as
// the kernel reads a first line: "/bin/sh", "/usr/bin/env python3". ok is false
// for a script without one.
func (b *Body) Interpreter() (argv []string, ok bool) {
	if b.Shell != "" {
		return strings.Fields(b.Shell), true
	}
	first, _, _ := strings.Cut(b.Script, "\n")
	line, ok := strings.CutPrefix(first, "#!")
	if !ok {
		return nil, false
	}
	program, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
	if program == "" {
		return nil, false
	}
	argv = []string{program}
	if arg = strings.TrimSpace(arg); arg != "" {
		argv = append(argv, arg)
	}
	return argv, true
}
