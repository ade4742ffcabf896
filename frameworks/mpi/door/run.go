package door

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/capstan-run/capstan/core/executor/command"
)

// lingering is how long processes that left their group may keep a stream open.
const lingering = 200 * time.Millisecond

// execute runs a command for whoever is at the other end of conn (law D2).
func execute(ctx context.Context, conn net.Conn, c *Command, environ []string) error {
	w := &writer{w: conn}
	cmd, err := command.New(c.Argv, c.Dir, append(environ[:len(environ):len(environ)], c.Env...))
	if err != nil {
		return w.value(exit, ending{Code: 127, Fault: err.Error()})
	}
	cmd.Stdout, cmd.Stderr = stream{w, output}, stream{w, complaint}
	cmd.WaitDelay = lingering
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = command.Start(cmd)
	}
	if err != nil {
		return w.value(exit, ending{Code: 127, Fault: err.Error()})
	}
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { end(cmd, over) })
	defer stop()
	go func() {
		_ = feed(conn, stdin) // it ends when the connection does
		end(cmd, over)
	}()
	_ = cmd.Wait()    // its state says it
	command.Kill(cmd) // what it left running
	close(over)
	return w.value(exit, ending{Code: code(cmd.ProcessState)})
}

// manners is how long a command that is told to end may take.
const manners = 2 * time.Second

// end ends a command that is not over: it may have children in other groups, as
// Open MPI's daemon has, and gets the time to end them.
func end(cmd *exec.Cmd, over <-chan struct{}) {
	select {
	case <-over:
		return
	default:
	}
	command.Signal(cmd, syscall.SIGTERM)
	late := time.NewTimer(manners)
	defer late.Stop()
	select {
	case <-over:
	case <-late.C:
		command.Kill(cmd)
	}
}

// feed gives a command its input until the connection ends, which is an error.
func feed(conn io.Reader, stdin io.WriteCloser) error {
	for {
		kind, body, err := read(conn)
		switch {
		case err != nil:
			stdin.Close()
			return err
		case kind == input && len(body) == 0:
			stdin.Close()
		case kind == input:
			_, _ = stdin.Write(body) // a command need not read it
		}
	}
}

// code is an exit code as a shell tells it.
func code(st *os.ProcessState) int {
	if s, ok := command.KilledBy(st); ok {
		return 128 + int(s)
	}
	return st.ExitCode()
}

// ask has a command run at the other end of conn, and is its streams until it has
// ended.
func ask(ctx context.Context, conn net.Conn, c *Command, in io.Reader, out, complaints io.Writer) (int, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	w := &writer{w: conn}
	if err := w.value(request, c); err != nil {
		return 0, err
	}
	go func() {
		_, _ = io.Copy(stream{w, input}, in)
		_ = w.frame(input, nil)
	}()
	for {
		kind, body, err := read(conn)
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return 0, err
		}
		switch kind {
		case output:
			_, err = out.Write(body)
		case complaint:
			_, err = complaints.Write(body)
		case exit:
			return ended(body)
		}
		if err != nil {
			return 0, err
		}
	}
}

func ended(body []byte) (int, error) {
	var e ending
	if err := decode(body, &e); err != nil {
		return 0, err
	}
	if e.Fault != "" {
		return e.Code, errors.New(e.Fault)
	}
	return e.Code, nil
}
