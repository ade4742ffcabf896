package embedded

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/capstan-run/capstan/core"
)

// Options say where and how the store runs.
type Options struct {
	// Command starts the child: it must call Main with its stdin and stdout.
	Command []string
	// Env is the child's environment. Default: the parent's.
	Env []string
	// Root is the directory of the objects, made if missing. The
	// administrator's keys are kept beside it.
	Root string
	// Address is a loopback address; port 0 picks one, which then stays for
	// the Server's life. Default "127.0.0.1:0".
	Address string
	// Log gets restarts and what the child writes on its stderr. Default: none.
	Log *slog.Logger
	// Down is called when the child ended or is silent, perhaps again with
	// another reason; Up when it or its successor serves. The reason is a
	// *core.Error for people, with what becomes of it as the remedy. From one
	// goroutine; default: nothing.
	Down func(reason error)
	Up   func()

	ProbeEvery  time.Duration // pause between two questions for its health; default 3s
	SilentAfter time.Duration // without an answer for so long it is down; default 5s
}

// Server is a store that runs and is watched.
type Server struct {
	opts   Options
	keys   keys
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	child *child
}

const (
	healthTimeout = 20 * time.Second // a machine under full load is slow, not dead
	healthMisses  = 3
	startPatience = 30 * time.Second
	portTries     = 5
)

// Start starts the store and returns when it serves. ctx bounds the starting,
// not the store's life.
func Start(ctx context.Context, o Options) (*Server, error) {
	o.Address = cmp.Or(o.Address, "127.0.0.1:0")
	o.ProbeEvery = cmp.Or(o.ProbeEvery, 3*time.Second)
	o.SilentAfter = cmp.Or(o.SilentAfter, 5*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Down == nil {
		o.Down = func(error) {}
	}
	if o.Up == nil {
		o.Up = func() {}
	}
	if err := loopback(o.Address); err != nil {
		return nil, err
	}
	if len(o.Command) == 0 {
		return nil, core.Errorf(core.Internal, "the embedded store has no command")
	}
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return nil, err
	}
	o.Root = root
	s := &Server{opts: o, done: make(chan struct{})}
	if s.keys, err = keysBeside(root); err != nil {
		return nil, &core.Error{Kind: core.KindOf(err), What: "read the store's keys", Where: root, Err: err}
	}
	if err := s.first(ctx); err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	go s.watch(life)
	return s, nil
}

// first starts the first child. A picked port may be taken by somebody else
// before the child binds it, so another is tried.
func (s *Server) first(ctx context.Context) error {
	_, port, err := net.SplitHostPort(s.opts.Address)
	if err != nil {
		return err
	}
	asked := s.opts.Address
	for try := 1; ; try++ {
		if port == "0" {
			if s.opts.Address, err = freePort(asked); err != nil {
				return err
			}
		}
		s.child, err = s.spawn(ctx)
		if err == nil || port != "0" || try == portTries || !strings.Contains(err.Error(), "address already in use") {
			return err
		}
	}
}

func freePort(address string) (string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// Access is the administrator's access to the whole store.
func (s *Server) Access() core.StoreAccess {
	return core.StoreAccess{
		Endpoint:  "http://" + s.opts.Address,
		Region:    region,
		AccessKey: s.keys.AccessKey,
		SecretKey: s.keys.SecretKey,
		Root:      s.opts.Root,
		Socket:    socketOf(s.opts.Root),
	}
}

// PID is the child's process, for tests that kill it and for doctor.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child.cmd.Process.Pid
}

// Healthy asks the server whether it serves.
func (s *Server) Healthy(ctx context.Context) error {
	t := &http.Transport{DisableKeepAlives: true}
	return healthy(ctx, &http.Client{Transport: t, Timeout: healthTimeout}, s.opts.Address)
}

// Close lets the child finish what it is answering, for some seconds, and ends
// it. The objects stay.
func (s *Server) Close() error {
	s.cancel()
	<-s.done
	return nil
}

// watch restarts the child whenever it ends, until ctx does.
func (s *Server) watch(ctx context.Context) {
	defer close(s.done)
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = 50*time.Millisecond, 2*time.Second
	c := s.child
	for {
		reason := s.outlive(ctx, c)
		if ctx.Err() != nil {
			c.close()
			return
		}
		s.opts.Log.Warn("store server ended; starting it again", "reason", reason, "pid", c.cmd.Process.Pid)
		s.opts.Down(&core.Error{Kind: core.Internal, What: "the store ended", Err: reason,
			Remedy: "it is being started again; work that needs it waits"})
		pauses.Reset()
		for c = nil; c == nil; {
			var err error
			if c, err = s.spawn(ctx); err == nil {
				break
			}
			s.opts.Log.Error("start store server", "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(pauses.NextBackOff()):
			}
		}
		s.mu.Lock()
		s.child = c
		s.mu.Unlock()
		s.opts.Up()
	}
}

// outlive returns when the child has ended or ctx has. It ends a child that
// has stopped answering.
func (s *Server) outlive(ctx context.Context, c *child) error {
	tick := time.NewTicker(s.opts.ProbeEvery)
	defer tick.Stop()
	for misses := 0; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ended:
			return c.err
		case <-tick.C:
		}
		if err := s.probe(ctx, c); err == nil {
			misses = 0
		} else if misses++; misses == healthMisses && ctx.Err() == nil {
			c.cmd.Process.Kill()
			<-c.ended
			return err
		}
	}
}

// probe asks c whether it serves. Silence is told long before it is held
// against c: a machine under full load is slow, and its users want to know.
func (s *Server) probe(ctx context.Context, c *child) error {
	asked := time.Now()
	answer := make(chan error, 1)
	go func() { answer <- s.Healthy(ctx) }()
	select {
	case err := <-answer:
		if err == nil {
			s.heard(c)
		}
		return err
	case <-time.After(s.opts.SilentAfter):
	}
	if !c.silent && ctx.Err() == nil {
		c.silent = true
		s.opts.Log.Warn("store server does not answer", "pid", c.cmd.Process.Pid, "since", asked)
		s.opts.Down(&core.Error{Kind: core.TimedOut, What: "the store has not answered since " + asked.Format(time.TimeOnly),
			Remedy: "work that needs it waits; it is started again if it stays silent for about a minute; " +
				"a disk that hangs shows in the kernel's log (dmesg)"})
	}
	err := <-answer
	if err == nil {
		s.heard(c)
	}
	return err
}

// heard says that c is back, if it was said to be silent.
func (s *Server) heard(c *child) {
	if !c.silent {
		return
	}
	c.silent = false
	s.opts.Log.Info("store server answers again", "pid", c.cmd.Process.Pid)
	s.opts.Up()
}

// child is one run of the server's process.
type child struct {
	cmd   *exec.Cmd
	leash io.Closer
	ended chan struct{}
	err   error // set before ended is closed

	silent bool // and it was told; the watcher's
}

func (s *Server) spawn(ctx context.Context) (*child, error) {
	cmd := exec.Command(s.opts.Command[0], s.opts.Command[1:]...)
	cmd.Env = s.opts.Env
	cmd.Stderr = &logWriter{log: s.opts.Log}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, &core.Error{Kind: core.Internal, What: "start the store server", Where: s.opts.Command[0], Err: err}
	}
	c := &child{cmd: cmd, leash: stdin, ended: make(chan struct{})}
	reports := make(chan report, 1)
	go func() {
		readReports(stdout, reports)
		c.err = cmd.Wait()
		if c.err == nil {
			c.err = errors.New("exited")
		}
		close(c.ended)
	}()
	b, err := json.Marshal(config{s.opts.Root, s.opts.Address, s.keys.AccessKey, s.keys.SecretKey})
	if err == nil {
		_, err = stdin.Write(append(b, '\n'))
	}
	if err == nil {
		err = c.await(ctx, reports)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// await returns nil once the child says that it serves.
func (c *child) await(ctx context.Context, reports <-chan report) error {
	patience := time.NewTimer(startPatience)
	defer patience.Stop()
	select {
	case r := <-reports:
		if r.Error != nil {
			return r.Error
		}
		return nil
	case <-c.ended:
		// Its last words may have come just before.
		select {
		case r := <-reports:
			if r.Error != nil {
				return r.Error
			}
		default:
		}
		return &core.Error{Kind: core.Internal, What: "the store server ended at its start", Err: c.err}
	case <-patience.C:
		return core.Errorf(core.TimedOut, "the store server did not serve within %s", startPatience)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *child) close() {
	c.leash.Close()
	select {
	case <-c.ended:
	case <-time.After(2 * goodbye):
		c.cmd.Process.Kill()
		<-c.ended
	}
}

// readReports passes on the child's first report and drops what else it says:
// the gateway greets on stdout.
func readReports(r io.Reader, to chan<- report) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var rep report
		if json.Unmarshal(lines.Bytes(), &rep) == nil && (rep.Ready || rep.Error != nil) {
			select {
			case to <- rep:
			default:
			}
		}
	}
	io.Copy(io.Discard, r)
}

// logWriter logs each line written to it.
type logWriter struct {
	log  *slog.Logger
	rest []byte
}

func (w *logWriter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		line, after, ok := strings.Cut(string(p), "\n")
		if !ok {
			break
		}
		w.log.Info("store server", "says", string(w.rest)+line)
		w.rest, p = w.rest[:0], []byte(after)
	}
	if len(w.rest) < 64<<10 {
		w.rest = append(w.rest, p...)
	}
	return n, nil
}
