package mpiexec

import (
	"context"
	"fmt"
	"io"

	"github.com/capstan-run/capstan/core"
)

// Call is one use of the command.
type Call struct{ line *Line }

// Open reads the arguments; a nil Call has nothing to run.
func Open(args []string, version string, out io.Writer) (*Call, error) {
	l, err := Parse(args)
	switch {
	case err != nil:
		return nil, err
	case l.Help:
		fmt.Fprint(out, Long)
		return nil, nil
	case l.Version:
		fmt.Fprintf(out, "capstan mpiexec %s (process management interface 1.1)\n", version)
		return nil, nil
	}
	return &Call{line: l}, nil
}

// Setting is an option that is none of the document.
func (c *Call) Setting(name string) string { return c.line.Settings[name] }

// Document makes the document for the host that was found.
func (c *Call) Document(s Site, local bool, in io.Reader, out, errw io.Writer) ([]byte, error) {
	return c.line.Document(s)
}

// Takes reports whether the ranks' output is taken here.
func (c *Call) Takes() bool { return false }

// Finish returns when all output is written.
func (c *Call) Finish(context.Context) {}

// Close ends the call.
func (c *Call) Close() {}

var _ = core.Invalid
