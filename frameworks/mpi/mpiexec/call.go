package mpiexec

import (
	"context"
	"fmt"
	"io"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/console"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
)

// Call is one use of the command. Close it.
type Call struct {
	line *Line
	desk *console.Desk // nil until there is a document, or where the host is elsewhere
}

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

// Streams are those of the command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Document makes the document for the host that was found. One on this machine
// brings what ranks print to the command's streams.
func (c *Call) Document(s Site, local bool, st Streams) ([]byte, error) {
	if local {
		desk, err := console.Open(st.In, st.Out, st.Err, c.line.Label)
		if err != nil {
			return nil, core.Errorf(core.Denied, "listen for what ranks print: %v", err).Do("set TMPDIR to a folder that can be written to")
		}
		c.desk = desk
		s.Console = &spec.Console{Socket: desk.Socket, Secret: desk.Secret}
	}
	return c.line.Document(s)
}

// Takes reports whether the ranks' output comes here.
func (c *Call) Takes() bool { return c.desk != nil }

// Finish returns when all output is written, or ctx ends.
func (c *Call) Finish(ctx context.Context) {
	if c.desk != nil {
		c.desk.Finish(ctx)
	}
}

// Close ends the call.
func (c *Call) Close() {
	if c.desk != nil {
		c.desk.Close()
	}
}
