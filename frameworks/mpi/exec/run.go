package exec

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
	program "github.com/capstan-run/capstan/core/executor/command"
	"github.com/capstan-run/capstan/frameworks/mpi"
)

// parting is how long a process may take to end after its socket did.
const parting = 2 * time.Second

// Run makes this process a rank, starts argv behind it with this process's
// streams, and carries out what it asks for. It returns the exit code: the
// process's, 128 and the signal's number if a signal ended it, or another than 0
// if it ended too early or broke the protocol.
func Run(ctx context.Context, argv []string) int {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	world, err := mpi.Join(ctx)
	if err != nil {
		return complain(os.Stderr, "", err)
	}
	name := fmt.Sprintf("rank %d (%s)", world.Comm.Rank(), short(strings.Join(argv, " ")))
	p, err := start(argv)
	if err != nil {
		return leave(ctx, world, name, 0, err)
	}
	end, err := Serve(ctx, world.Comm, p.sock, Options{Awaits: world.Awaits})
	code, err := p.finish(end, err)
	if err != nil {
		return leave(ctx, world, name, code, err)
	}
	if err := world.Leave(ctx, nil); err != nil {
		return complain(os.Stderr, name, err)
	}
	return p.wait()
}

// leave says err, and then ends the world: whoever is told by it that this rank is
// lost may end us.
func leave(ctx context.Context, world *mpi.World, name string, code int, err error) int {
	if ctx.Err() != nil {
		_ = world.Leave(ctx, err)
		return 128 + int(syscall.SIGTERM) // whoever ended us knows why
	}
	code = max(code, complain(os.Stderr, name, err))
	_ = world.Leave(ctx, exit{err, code}) // err says more
	return code
}

// exit is an error with the exit code that the world ends with.
type exit struct {
	error
	code int
}

func (e exit) Unwrap() error { return e.error }

// ExitCode is as that of an ended process.
func (e exit) ExitCode() int { return e.code }

// short is enough of a command to know it by.
func short(argv string) string {
	const most = 80
	line, _, cut := strings.Cut(argv, "\n")
	if len(line) > most {
		line, cut = strings.ToValidUTF8(line[:most], ""), true
	}
	if cut {
		line += "…"
	}
	return line
}

// complain says err to the user, and returns the exit code that stands for it.
func complain(w io.Writer, name string, err error) int {
	if name != "" {
		name += ": "
	}
	fmt.Fprintf(w, "%s%s\n", name, text(err))
	return core.KindOf(err).ExitCode()
}

// process is the program behind the rank.
type process struct {
	cmd   *exec.Cmd
	sock  *net.UnixConn
	ended chan struct{}
}

func start(argv []string) (*process, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	env, err := importable(environ(os.Environ()))
	if err != nil {
		return nil, err
	}
	ours, theirs, err := pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd, err := program.New(argv, dir, env)
	if err == nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.ExtraFiles = []*os.File{theirs}
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // in our group, which our launcher ends
		err = program.Start(cmd)
	}
	if err != nil {
		_ = ours.Close()
		return nil, err
	}
	p := &process{cmd: cmd, sock: ours, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // ProcessState says it
		close(p.ended)
	}()
	return p, nil
}

// pair is a connected socket, and its end for a child.
func pair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	f, theirs := os.NewFile(uintptr(fds[0]), "rank"), os.NewFile(uintptr(fds[1]), "rank")
	defer f.Close() // FileConn has one of its own
	c, err := net.FileConn(f)
	if err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	return c.(*net.UnixConn), theirs, nil
}

// environ is the process's: ours, but that it is no rank of the launcher's.
func environ(ours []string) []string {
	var env []string
	for _, v := range ours {
		if !strings.HasPrefix(v, "PMI_") && !strings.HasPrefix(v, "CAPSTAN_MPI_FD=") {
			env = append(env, v)
		}
	}
	return append(env, "CAPSTAN_MPI_FD=3")
}

// finish decides how the rank has ended, from how the conversation did. After an
// error the process is gone.
func (p *process) finish(end Ending, err error) (int, error) {
	switch {
	case err != nil:
		p.kill()
		if isNonsense(err) {
			err = &core.Error{Kind: core.Failed, What: "its end of the local protocol", Err: err,
				Remedy: "see the protocol in the documentation of package frameworks/mpi/exec"}
		}
		return 1, err
	case end.Aborted:
		p.rest()
		return end.Code, aborted(end)
	case end.Finalized:
		return 0, nil
	}
	p.rest()
	code, how := p.status()
	if code == 0 && !end.Greeted {
		return 0, nil // it is no program of MPI
	}
	return max(code, 1), core.Errorf(core.Failed, "%s before it has finalized", how).
		Do("its output above says more; a rank ends with finalize, or abort")
}

func aborted(end Ending) error {
	what := fmt.Sprintf("it ended the world with code %d", end.Code)
	if end.Why != "" {
		what += ": " + end.Why
	}
	return core.Errorf(core.Failed, "%s", what)
}

// rest gives the process the time to end by itself, so that its exit status is
// known.
func (p *process) rest() {
	t := time.NewTimer(parting)
	defer t.Stop()
	select {
	case <-p.ended:
	case <-t.C:
	}
	p.kill()
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone
	<-p.ended
}

// wait waits for a process that has finalized, and returns its exit code.
func (p *process) wait() int {
	<-p.ended
	code, _ := p.status()
	return code
}

// status is how the process ended, as a shell's exit code and in words.
func (p *process) status() (int, string) {
	if s, ok := program.KilledBy(p.cmd.ProcessState); ok {
		return 128 + int(s), fmt.Sprintf("was killed by signal %d (%s)", int(s), s)
	}
	code := p.cmd.ProcessState.ExitCode()
	return code, fmt.Sprintf("ended with exit status %d", code)
}
