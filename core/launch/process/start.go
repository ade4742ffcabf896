package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/ledger"
)

const openFiles = 65536

// Start starts all of set, or leaves none (law L1).
func (l *Launcher) Start(ctx context.Context, set []launch.Executor) error {
	return l.ledger.Start(ctx, set, l.hands())
}

func (l *Launcher) hands() ledger.Hands {
	return ledger.Hands{Check: l.check, Make: l.startAll, Remove: l.remove, Log: l.log}
}

func (l *Launcher) startAll(ctx context.Context, set []launch.Executor) error {
	var wg sync.WaitGroup
	errs := make([]error, len(set))
	for i := range set {
		wg.Go(func() {
			if errs[i] = l.startOne(ctx, &set[i]); errs[i] != nil {
				errs[i] = l.explain(&set[i], errs[i])
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *Launcher) explain(e *launch.Executor, err error) error {
	var known *core.Error
	if errors.As(err, &known) {
		return known
	}
	x := &core.Error{Kind: core.Internal, What: "start the process", Err: err}
	switch {
	case errors.Is(err, context.Canceled):
		x.Kind, x.What = core.Cancelled, "the start was given up"
	case errors.Is(err, context.DeadlineExceeded):
		x.Kind, x.What = core.TimedOut, "the start was given up"
	case errors.Is(err, unix.EAGAIN):
		x.Remedy = "this machine's limit of processes is reached: see ulimit -u"
	case errors.Is(err, unix.ENOEXEC), errors.Is(err, os.ErrPermission):
		x.Kind, x.Remedy = core.Invalid, "check that the binary is a program of this machine's architecture"
	default:
		x.Remedy = "check the state directory's permissions and free space"
	}
	return x.At(l.where(e))
}

func (l *Launcher) startOne(ctx context.Context, e *launch.Executor) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	binary, err := l.copies.Path(e.Binary)
	if err != nil {
		return err
	}
	if err := l.furnish(e); err != nil {
		return err
	}
	r := record{ID: e.ID, Labels: e.Labels, Started: time.Now()}
	if err := l.write(r); err != nil {
		return err
	}
	pid, err := l.fork(e, binary)
	if err != nil {
		return err
	}
	// The child has not been reaped, so its pid is its own.
	w, err := newWatch(pid)
	if err != nil {
		return fmt.Errorf("watch process %d: %w", pid, err)
	}
	s, err := readStat(pid)
	if err != nil {
		w.cancel()
		return err
	}
	limit(pid)
	r.Process = process{PID: pid, Start: s.start, Boot: l.boot}
	if err := l.write(r); err != nil {
		w.cancel()
		return err
	}
	return l.await(r, w)
}

// await follows a process to its end.
func (l *Launcher) await(r record, w *watch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		w.cancel()
		return errors.New("the launcher is closed")
	}
	l.watched[r.ID] = w
	l.rooms.Go(func() { l.follow(r, w) })
	return nil
}

// furnish makes an executor's directory.
func (l *Launcher) furnish(e *launch.Executor) error {
	dir := l.dir(e.ID)
	for _, d := range []string{dir, filepath.Join(dir, "scratch"), filepath.Join(dir, "files")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return err
		}
	}
	for name, path := range e.Files {
		if err := os.Symlink(path, filepath.Join(dir, "files", name)); err != nil {
			return err
		}
	}
	return nil
}

func (l *Launcher) fork(e *launch.Executor, binary string) (pid int, err error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	out, err := os.OpenFile(l.output(e.ID), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	attr := &os.ProcAttr{
		Dir:   filepath.Join(l.dir(e.ID), "scratch"),
		Env:   l.env(e),
		Files: []*os.File{null, out, out},
		Sys:   &unix.SysProcAttr{Setsid: true},
	}
	argv := append([]string{binary}, e.Init...)
	for attempt := 0; ; attempt++ {
		p, err := os.StartProcess(binary, argv, attr)
		if errors.Is(err, unix.ETXTBSY) && attempt < 20 {
			// Another fork of ours holds the copy's writer until it execs.
			time.Sleep(time.Duration(attempt+1) * time.Millisecond)
			continue
		}
		if err != nil {
			return 0, err
		}
		pid = p.Pid
		return pid, p.Release() // law P3: followed by pidfd, reaped by pid
	}
}

// env is what the executor is told, and the host's PATH, what pyenv's shims on
// it need, locale and time zone; nothing else of the host's environment, which
// may hold secrets.
func (l *Launcher) env(e *launch.Executor) []string {
	dir := l.dir(e.ID)
	places := launch.Places{Shared: e.Shared, Shm: e.Shm, Scratch: filepath.Join(dir, "scratch"), Files: filepath.Join(dir, "files")}
	env := e.Environment(places, l.mark(e.ID))
	if e.CPU > 0 {
		env = append(env, fmt.Sprintf("GOMAXPROCS=%d", (e.CPU+999)/1000))
	}
	for _, v := range e.Volumes {
		if v.Env != "" {
			env = append(env, v.Env+"="+v.Dir)
		}
	}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if name == "PATH" || name == "TZ" || name == "LANG" || strings.HasPrefix(name, "LC_") || strings.HasPrefix(name, "PYENV_") {
			env = append(env, kv)
		}
	}
	return env
}

// limit bounds what a process may have. A host that may not raise its own
// limit of open files gives what it has.
func limit(pid int) {
	files := unix.Rlimit{Cur: openFiles, Max: openFiles}
	var now unix.Rlimit
	if unix.Prlimit(pid, unix.RLIMIT_NOFILE, &files, nil) != nil && unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &now) == nil {
		unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: now.Max, Max: now.Max}, nil)
	}
	unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
}

// check refuses what a process cannot be.
func (l *Launcher) check(e *launch.Executor) error {
	if err := e.CheckOn(l.node.ID); err != nil {
		return err
	}
	if e.Image != "" && e.Image != "host" {
		return core.Errorf(core.Invalid, "image %s needs a container engine, and this host starts processes", e.Image).
			At(l.where(e)).Do("start Docker and then the host, or leave the image out")
	}
	return nil
}

func (l *Launcher) where(e *launch.Executor) string { return e.Where(l.node.ID) }
