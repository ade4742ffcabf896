package mpisuite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
)

// Local is package pmi alone: ranks are children of this process, all on one
// server, and worlds that are spawned share its names.
type Local struct{}

// Name is [Launcher]'s.
func (Local) Name() string { return "server" }

// Launch is [Launcher]'s.
func (Local) Launch(ctx context.Context, dir string, c *Case) (string, int, error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	l := &local{dir: dir, env: append(os.Environ(), c.Env...), end: end}
	l.fabric = pmi.NewLocal(1, func(_ context.Context, s pmi.Spawn) error { return l.start(ctx, s) })
	err := l.start(ctx, pmi.Spawn{Programs: []pmi.Program{{Ranks: c.Ranks, Argv: c.Argv}}})
	l.ranks.Wait()
	if l.code == 0 && errors.Is(context.Cause(ctx), errLost) {
		l.code = 1 // it left its world with 0
	}
	if err == nil && ctx.Err() != nil && !errors.Is(context.Cause(ctx), errLost) {
		err = context.Cause(ctx)
	}
	return l.output.String(), l.code, err
}

// errLost is the cause of ending ranks when one of them is lost or aborts.
var errLost = errors.New("a rank was lost")

// local is a case's worlds.
type local struct {
	dir    string
	env    []string
	fabric *pmi.Local
	end    context.CancelCauseFunc
	ranks  sync.WaitGroup
	output lockedBuffer

	mu     sync.Mutex
	worlds int
	code   int // of the first rank that did not end well
}

// sharedNames is a world's own fences with the names of all worlds.
type sharedNames struct {
	*pmi.Local
	fences *pmi.Local
}

func (s sharedNames) Fence(ctx context.Context, n int, put []pmi.Pair) ([]pmi.Pair, error) {
	return s.fences.Fence(ctx, n, put)
}

// start starts a world.
func (l *local) start(ctx context.Context, s pmi.Spawn) error {
	l.mu.Lock()
	l.worlds++
	world := pmi.World{Name: fmt.Sprintf("kvs_%d_%d", os.Getpid(), l.worlds), Put: s.Put}
	spawned := l.worlds > 1
	l.mu.Unlock()
	var programs []pmi.Program
	for i, p := range s.Programs {
		for range p.Ranks {
			world.Programs = append(world.Programs, i)
			programs = append(programs, p)
		}
	}
	world.Mapping = pmi.Mapping(make([]int, len(programs)))
	server := pmi.NewServer(world, len(programs), sharedNames{l.fabric, pmi.NewLocal(1, nil)})
	for rank, p := range programs {
		cmd, conn, err := l.command(ctx, p, rank, len(programs), spawned)
		if err != nil {
			l.lost(127)
			return err
		}
		l.ranks.Go(func() { l.follow(ctx, server, rank, cmd, conn) })
	}
	return nil
}

// command starts a rank.
func (l *local) command(ctx context.Context, p pmi.Program, rank, size int, spawned bool) (*exec.Cmd, *os.File, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close()
	cmd := exec.CommandContext(ctx, p.Argv[0], p.Argv[1:]...)
	cmd.Dir = l.dir
	for _, i := range p.Info {
		switch i.Key {
		case "wdir":
			cmd.Dir = i.Value
		case "path":
			if found := filepath.Join(i.Value, p.Argv[0]); !filepath.IsAbs(p.Argv[0]) {
				cmd.Path, cmd.Err = found, nil
			}
		}
	}
	if !filepath.IsAbs(cmd.Path) {
		cmd.Path = filepath.Join(cmd.Dir, cmd.Path)
	}
	cmd.Env = append(l.env[:len(l.env):len(l.env)], "PMI_FD=3", fmt.Sprintf("PMI_RANK=%d", rank), fmt.Sprintf("PMI_SIZE=%d", size))
	if spawned {
		cmd.Env = append(cmd.Env, "PMI_SPAWNED=1")
	}
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stdout, cmd.Stderr = &l.output, &l.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // as under Hydra: a share of time for each
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, nil, err
	}
	return cmd, ours, nil
}

// follow serves a rank until it ends, and ends all if it did not end well.
func (l *local) follow(ctx context.Context, s *pmi.Server, rank int, cmd *exec.Cmd, conn *os.File) {
	defer conn.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		e, err := s.Serve(ctx, rank, conn)
		switch {
		case err != nil && ctx.Err() == nil:
			fmt.Fprintln(&l.output, err)
			l.lost(1)
		case e.Aborted:
			l.lost(e.Code)
		case e.Started && !e.Finalized && ctx.Err() == nil:
			l.lost(0)
		}
	}()
	_ = cmd.Wait()           // the state says it
	ours := ctx.Err() != nil // it was killed, and is not who was lost
	if code := ended(cmd.ProcessState); code != 0 && !(ours && code == 128+int(syscall.SIGKILL)) {
		l.lost(code)
	}
	conn.Close()
	<-served
}

// lost ends all ranks. code is 0 if the rank that is lost will tell.
func (l *local) lost(code int) {
	l.mu.Lock()
	if l.code == 0 {
		l.code = code
	}
	l.mu.Unlock()
	l.end(errLost)
}

// ended is the exit code of a process as a shell tells it.
func ended(s *os.ProcessState) int {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return s.ExitCode()
}

func socketPair() (ours, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs"), nil
}

// lockedBuffer is a buffer that many ranks write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
