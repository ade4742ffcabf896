package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
)

const (
	// lastWords is how long an ended executor tries to tell its host.
	lastWords = 10 * time.Second
	// leaveTime is how long a worker gets to return when the host is lost or
	// has fenced it: nobody waits for what it might still say.
	leaveTime = 2 * time.Second
)

// PanicError is in the chain of what Run returns when the worker panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprint(e.Value) }

// Errors in the chain of what Run returns.
var (
	// ErrRefused: the host fenced this executor, or does not take its token.
	ErrRefused = errors.New("refused by the host")
	// ErrOrphaned: nothing was heard of a host for Bootstrap.OrphanAfter.
	ErrOrphaned = errors.New("no host")
)

// Run is an executor's whole life, as the main function of its process: it
// reads the file that CAPSTAN_BOOTSTRAP names, joins the host, waits until the
// gang is whole, runs the worker of the framework whose kind it was given, and
// tells the host how that ended. It returns nil when the worker did or the
// host stopped it, else why not. When ctx ends the worker is stopped.
//
// Should the process be init (pid 1), Run also reaps the processes it adopts.
func Run(ctx context.Context, frameworks []core.Framework) error {
	boot, err := loadBootstrap()
	if err != nil {
		return err
	}
	if os.Getpid() == 1 {
		defer reapAdopted()()
	}
	return runWith(ctx, boot, frameworks)
}

func runWith(ctx context.Context, boot Bootstrap, frameworks []core.Framework) error {
	l := newLink(boot)
	ctx, cancel := context.WithCancel(ctx)
	lost := make(chan error, 1)
	go func() { lost <- l.run(ctx) }()
	err := live(ctx, l, lost, frameworks)
	cancel()
	<-l.done
	return err
}

// loadBootstrap reads the bootstrap file and lets the launcher's directories
// take the place of its own.
func loadBootstrap() (Bootstrap, error) {
	path := os.Getenv(BootstrapEnv)
	if path == "" {
		return Bootstrap{}, core.Errorf(core.Invalid, "%s is not set", BootstrapEnv).
			Do("executors are started by capstan, not by hand")
	}
	boot, err := ReadBootstrap(path)
	if err != nil {
		return Bootstrap{}, &core.Error{Kind: core.Invalid, Err: err}
	}
	boot.path = path
	return boot, nil
}

// live waits for the start and sees the worker through.
func live(ctx context.Context, l *link, lost <-chan error, frameworks []core.Framework) error {
	select {
	case <-l.started:
	case <-l.stopped:
		return nil
	case err := <-lost:
		return err
	case <-ctx.Done():
		return nil
	}
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- l.work(work, frameworks) }()

	select {
	case err := <-result:
		return l.farewell(ctx, lost, err)
	case err := <-lost:
		cancel()
		await(result, leaveTime)
		return err
	case <-ctx.Done():
		await(result, leaveTime)
		return nil
	case <-l.stopped:
		cancel()
		err := await(result, l.grace())
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		return l.farewell(ctx, lost, err)
	}
}

// await takes a result, or nil after d.
func await(result <-chan error, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case err := <-result:
		return err
	case <-t.C:
		return nil
	}
}

// farewell tells the host how the worker ended and waits until it knows.
func (l *link) farewell(ctx context.Context, lost <-chan error, err error) error {
	var stack string
	if p := (*PanicError)(nil); errors.As(err, &p) {
		stack = string(p.Stack)
	}
	l.end(endOf(err, stack, cpuTime()))
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	drained := make(chan struct{})
	go func() { l.drain(ctx); close(drained) }()
	select {
	case <-drained:
	case <-lost:
		cancel()
		<-drained
	}
	return err
}

// work runs the framework's worker. A panic in the worker's own goroutine
// becomes an error; one in another goroutine ends the process, and its stack
// is in what the launcher's Tail shows.
func (l *link) work(ctx context.Context, frameworks []core.Framework) (err error) {
	env, kind, err := l.environment()
	if err != nil {
		return err
	}
	for _, f := range frameworks {
		if f.Describe().Kind == kind {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			pumped := make(chan struct{})
			go func() { l.pump(ctx); close(pumped) }()
			defer func() { cancel(); <-pumped }()
			return guard(func() error { return f.Work(ctx, env) })
		}
	}
	return core.Errorf(core.Invalid, "this binary has no framework for kind %s", kind).
		Do("serve the kind in the program that the job ships")
}

// guard turns a panic or a Goexit of f into an error.
func guard(f func() error) error {
	result := make(chan error, 1)
	go func() {
		returned := false
		defer func() {
			if returned {
				return
			}
			v := recover()
			if v == nil {
				result <- core.Errorf(core.Failed, "the worker ended its goroutine without returning")
				return
			}
			stack := debug.Stack()
			result <- &core.Error{
				Kind: core.Failed, What: "the worker panicked", Detail: string(stack),
				Err: &PanicError{Value: v, Stack: stack},
			}
		}()
		err := f()
		returned = true
		result <- err
	}()
	return <-result
}

// environment builds the worker's surroundings from the assignment.
func (l *link) environment() (*core.Env, string, error) {
	a := l.place()
	env := &core.Env{
		Rank:    placeOf(a),
		Size:    int(a.GetSize()),
		CPU:     core.MilliCPU(a.GetCpu()),
		Memory:  core.Bytes(a.GetMemory()),
		Shared:  directory(a.GetShared(), SharedEnv, l.boot.Shared),
		Shm:     directory("", ShmEnv, l.boot.Shm),
		Scratch: directory(a.GetScratch(), ScratchEnv, l.boot.Scratch),
		Files:   directory(a.GetFiles(), FilesEnv, l.boot.Files),
		Log:     l.logger(),
		Inbox:   l.inbox,
		Send:    l.send,
	}
	if err := decode(a.GetSpec(), &env.Spec); err != nil {
		return nil, "", fmt.Errorf("assignment of %s: spec: %w", env.Rank, err)
	}
	if err := decode(a.GetStore(), &env.Store); err != nil {
		return nil, "", fmt.Errorf("assignment of %s: store: %w", env.Rank, err)
	}
	// A socket in the gang's directory is named without it: where that lies is
	// the launcher's business.
	if name, ok := strings.CutPrefix(env.Store.Endpoint, "unix:"); ok && !strings.HasPrefix(name, "/") {
		env.Store.Endpoint = "unix://" + filepath.Join(env.Shared, name)
	}
	// The Go heap must not grow into the limit at which the kernel kills.
	if env.Memory > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(env.Memory) / 10 * 9)
	}
	return env, a.GetKind(), nil
}

func decode(data []byte, v any) error {
	if len(data) == 0 {
		return nil
	}
	return json.Unmarshal(data, v)
}

// directory picks the assignment's directory, below the launcher's where it is
// relative; else the launcher's; else the bootstrap file's.
func directory(assigned, env, boot string) string {
	base := boot
	if v := os.Getenv(env); v != "" {
		base = v
	}
	if assigned == "" || filepath.IsAbs(assigned) {
		if assigned != "" {
			return assigned
		}
		return base
	}
	return filepath.Join(base, assigned)
}

// ExitCode is the exit code of a process for what Run returned: 0, 2 for a
// panic as Go itself has it, else 1.
func ExitCode(err error) int {
	var p *PanicError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &p):
		return 2
	}
	return 1
}
