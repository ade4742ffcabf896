package work

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/command"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// lastWords is how long what a rank has said is listened for after its process
// has ended: a descendant may hold the socket open.
const lastWords = 200 * time.Millisecond

// rank is one process.
type rank struct {
	*run
	number int
	out    *output

	mu   sync.Mutex
	page *os.File  // in which it says what it waits for
	cmd  *exec.Cmd // once started
	gone bool      // waited for
}

func newRank(r *run, number int) *rank {
	k := &rank{run: r, number: number}
	k.out = newOutput(func(line string) { r.env.Log.Info(k.prefix() + line) })
	if r.body.Console != nil {
		for n := range k.out.forward {
			k.out.forward[n] = newForward(k, n == 1)
		}
	}
	return k
}

// play runs the rank to its end (law W1).
func (k *rank) play() *task.Ended {
	e := &task.Ended{Run: k.begin.Run, Rank: k.number}
	defer k.close()
	if err := k.execute(e); err != nil {
		f := *core.AsError(err)
		if f.Err != nil {
			f.What, f.Err = f.Error(), nil
		}
		e.Fault = &f
		e.Code = max(e.Code, 1)
	}
	e.Tail = k.out.tail()
	return e
}

func (k *rank) execute(e *task.Ended) error {
	cmd, err := k.prepare()
	if err != nil {
		return err
	}
	ours, theirs, err := socketpair()
	if err != nil {
		return err
	}
	defer ours.Close()
	cmd.ExtraFiles = []*os.File{theirs} // descriptor 3
	stdin, err := k.input()
	if err != nil {
		theirs.Close()
		return err
	}
	defer stdin.Close()
	cmd.Stdin = stdin
	if err := k.out.open(cmd); err != nil {
		theirs.Close()
		return err
	}
	defer k.out.drain()
	err = k.start(cmd)
	theirs.Close()
	k.out.handed()
	if err != nil {
		return err
	}
	return k.attend(cmd, ours, e)
}

// start starts the process, on cores of its own if the job says so.
func (k *rank) start(cmd *exec.Cmd) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := context.Cause(k.ctx); err != nil {
		return err
	}
	// Under mpiexec.hydra each rank has a session of its own, and so its own share
	// where the kernel deals time out to sessions: ranks that spin need it.
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Setsid = false, true
	local, locals := k.place()
	err := bound(k.body.Bind == "core", local, locals, func() error { return command.Start(cmd) })
	if err == nil {
		k.cmd = cmd
	}
	return err
}

// attend talks with the rank until it has ended.
func (k *rank) attend(cmd *exec.Cmd, ours *os.File, e *task.Ended) error {
	began := time.Now()
	ended := make(chan struct{})
	stop := context.AfterFunc(k.ctx, func() { command.Kill(cmd) })
	defer stop()
	talk, hangUp := context.WithCancel(k.life)
	defer hangUp()
	go func() {
		_ = cmd.Wait() // its state says it
		k.mu.Lock()
		k.gone = true
		k.mu.Unlock()
		_ = ours.SetReadDeadline(time.Now().Add(lastWords))
		time.AfterFunc(lastWords, hangUp) // it may have died in a barrier
		close(ended)
	}()
	said, err := k.server.Serve(talk, k.number, ours)
	e.Started, e.Finalized, e.Aborted = said.Started, said.Finalized, said.Aborted
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		err = nil // it is gone
	}
	if said.Started && !said.Finalized || err != nil { // law W2
		k.signal(syscall.SIGKILL)
	}
	<-ended
	command.Kill(cmd) // what it left running
	e.Wall = time.Since(began)
	k.tellEnd(cmd.ProcessState, said, e)
	if k.ctx.Err() != nil {
		return nil
	}
	return err
}

func (k *rank) tellEnd(st *os.ProcessState, said pmi.Ending, e *task.Ended) {
	e.Code = st.ExitCode()
	if s, ok := command.KilledBy(st); ok {
		e.Signal, e.Code = int(s), 128+int(s)
	}
	if said.Aborted {
		e.Code, e.Signal = said.Code, 0
	}
	e.CPU = st.UserTime() + st.SystemTime()
	if u, ok := st.SysUsage().(*syscall.Rusage); ok {
		e.MaxRSS = core.Bytes(u.Maxrss) << 10
	}
}

// signal sends s to the rank's group, if its process is there.
func (k *rank) signal(s syscall.Signal) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cmd != nil && !k.gone {
		command.Signal(k.cmd, s)
	}
}

func (k *rank) terminate() { k.signal(syscall.SIGTERM) }

// socketpair is the rank's way to its process manager.
func socketpair() (ours, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err == nil {
		err = syscall.SetNonblock(fds[0], true)
	}
	if err != nil {
		return nil, nil, core.Errorf(core.Failed, "no socket to the rank: %v", err).Do("raise the limit of open files")
	}
	return os.NewFile(uintptr(fds[0]), "pmi"), os.NewFile(uintptr(fds[1]), "pmi"), nil
}
