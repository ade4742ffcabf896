package door

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/capstan-run/capstan/core"
)

// The environment of what a keeper runs.
const (
	pathVariable = "CAPSTAN_MPI_DOOR"      // socket of the keeper
	sizeVariable = "CAPSTAN_MPI_EXECUTORS" // how many executors there are
)

// hostPrefix and a number name an executor where launchers want a host.
const hostPrefix = "executor-"

// Surroundings are a process's.
type Surroundings struct {
	Getenv func(string) string
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	Dir    string
}

// Agent is what stands in for ssh: it runs a command of a shell on the executor
// that args name, after options as ssh has them, and returns its exit code.
func Agent(ctx context.Context, args []string, s Surroundings) (int, error) {
	args = withoutOptions(args)
	if len(args) < 2 {
		return 255, core.Errorf(core.Invalid, "mpi-agent takes a host and a command").Do("have a launcher call it where it would call ssh")
	}
	member, err := memberOf(args[0])
	if err != nil {
		return 255, err
	}
	return s.ask(ctx, &Command{Member: member, Argv: []string{"sh", "-c", strings.Join(args[1:], " ")}}, s.In)
}

// withoutOptions leaves out what only ssh understands.
func withoutOptions(args []string) []string {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		valued := len(args[0]) == 2 && strings.Contains("olpiFEJ", args[0][1:])
		args = args[1:]
		if valued && len(args) > 0 {
			args = args[1:]
		}
	}
	return args
}

func memberOf(host string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(host, hostPrefix))
	if err != nil || !strings.HasPrefix(host, hostPrefix) || n < 0 {
		return 0, core.Errorf(core.NotFound, "%q is no executor of this gang", host).Do("executors are called " + hostPrefix + "0, " + hostPrefix + "1 and so on")
	}
	return n, nil
}

func (s *Surroundings) ask(ctx context.Context, c *Command, in io.Reader) (int, error) {
	path := s.Getenv(pathVariable)
	if path == "" {
		return 255, core.Errorf(core.Invalid, "$%s is not set", pathVariable).Do("call it within a job of kind MPI that has spec.launcher")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return 255, err
	}
	defer conn.Close()
	return ask(ctx, conn, c, in, s.Out, s.Err)
}

// Spawn runs so many copies of a command, as "-n N COMMAND…" says, and returns
// when all have ended, with the first exit code that is not 0. They are dealt out
// to the executors in blocks.
func Spawn(ctx context.Context, args []string, s Surroundings) (int, error) {
	executors, _ := strconv.Atoi(s.Getenv(sizeVariable))
	if len(args) < 3 || args[0] != "-n" {
		return 255, core.Errorf(core.Invalid, "mpi-spawn takes -n N and a command").Do(`set GASNET_CSPAWN_CMD="capstan mpi-spawn -n %N %C"`)
	}
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 1 {
		return 255, core.Errorf(core.Invalid, "-n %q is no number of copies", args[1])
	}
	codes, faults := make([]int, n), make([]error, n)
	s.Out, s.Err = &shared{w: s.Out}, &shared{w: s.Err}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			c := &Command{Member: i / ((n + max(executors, 1) - 1) / max(executors, 1)), Argv: args[2:], Dir: s.Dir}
			codes[i], faults[i] = s.ask(ctx, c, strings.NewReader(""))
		})
	}
	all.Wait()
	for i := range n {
		if faults[i] != nil {
			return max(codes[i], 1), fmt.Errorf("copy %d of %d: %w", i, n, faults[i])
		}
		if codes[i] != 0 {
			return codes[i], nil
		}
	}
	return 0, nil
}

// shared is a writer that several copies write to.
type shared struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}
