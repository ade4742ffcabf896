package plugins

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/plugins/pluginpb"
)

// Builtin is a framework that the host's own binary serves.
type Builtin struct {
	Name string   // "mapreduce"
	Args []string // what the binary is started with: {"plugin", "mapreduce"}
	// Descriptions are what it serves. Where they are known, the host needs to
	// start no process to learn them.
	Descriptions []core.Description
}

// Config configures a Supervisor.
type Config struct {
	// Dir is the plugin folder: every executable file in it is a plugin of that
	// name. "" or a folder that does not exist: none.
	Dir string
	// Pins is the file of trusted hashes, made on demand with mode 0600.
	// Required with Dir.
	Pins string
	// Runtime is a private directory for sockets; default: a temporary one,
	// which is also used for a path above 60 bytes, since a socket's name must
	// fit 107. What hosts that were killed left of those is removed by New.
	Runtime string
	BuiltIn []Builtin
	Log     *slog.Logger // default: nowhere

	PingEvery    time.Duration // default 1s
	HangAfter    time.Duration // default 10s
	StartTimeout time.Duration // default 30s
	PlanTimeout  time.Duration // default 60s
}

// Supervisor runs plugin processes. Its methods are safe for concurrent use.
type Supervisor struct {
	config Config
	pins   *pins
	pad    *launchpad
	tmp    *socketDir // nil where Config.Runtime is used
	wg     sync.WaitGroup

	mu      sync.Mutex
	plugins []*plugin // built-ins in their order, then the folder's as they came
	closed  bool
}

var errClosed = core.Errorf(core.Internal, "the host is ending")

// New makes a supervisor of the built-ins. Discover adds the plugin folder.
func New(c Config) (*Supervisor, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.PingEvery = cmp.Or(c.PingEvery, time.Second)
	c.HangAfter = cmp.Or(c.HangAfter, 10*time.Second)
	c.StartTimeout = cmp.Or(c.StartTimeout, 30*time.Second)
	c.PlanTimeout = cmp.Or(c.PlanTimeout, time.Minute)
	if c.Dir != "" && c.Pins == "" {
		return nil, errors.New("plugins: Config.Pins is missing")
	}
	s := &Supervisor{config: c, pins: &pins{all: map[string]pin{}}}
	if c.Pins != "" {
		var err error
		if s.pins, err = loadPins(c.Pins); err != nil {
			return nil, err
		}
	}
	dir := c.Runtime
	if dir == "" || len(dir) > longestDir {
		var err error
		if s.tmp, err = newSocketDir(socketRoot()); err != nil {
			return nil, err
		}
		dir = s.tmp.path
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s.pad = newLaunchpad(dir, c.StartTimeout)
	exe, err := os.Executable()
	if err != nil {
		exe = os.Args[0]
	}
	for _, b := range c.BuiltIn {
		s.plugins = append(s.plugins, &plugin{
			name: b.Name, sup: s, kinds: b.Descriptions, state: StateReady, pin: PinBuiltIn,
			binary: &binary{path: exe, args: b.Args, builtIn: true},
		})
	}
	return s, nil
}

func (s *Supervisor) snapshot() []*plugin {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.plugins)
}

// find returns the plugin that serves kind. Of several, the first in the order
// of List does: a built-in cannot be displaced.
func (s *Supervisor) find(kind string) (*plugin, core.Description, error) {
	all := s.served()
	names := make([]string, len(all))
	for i, o := range all {
		if o.Kind == kind {
			return o.by, o.Description, nil
		}
		names[i] = o.Kind
	}
	return nil, core.Description{}, core.Errorf(core.NotFound, "no plugin serves kind %q", kind).
		At("kind").Do("kinds here: " + strings.Join(names, ", "))
}

// Kinds lists what the plugins serve, in the order of List; after that what
// those that are refused or broken served when they last ran, without its
// schema (law P8).
func (s *Supervisor) Kinds() []core.Description {
	all := s.served()
	out := make([]core.Description, len(all))
	for i, o := range all {
		out[i] = o.Description
	}
	return out
}

// Describe answers for one kind. The error is core.NotFound and names the kinds
// there are.
func (s *Supervisor) Describe(kind string) (core.Description, error) {
	_, d, err := s.find(kind)
	return d, err
}

// Binary is the init binary of the kind's executors where GangAsk.Program is
// "": its path on this machine and SHA-256, or "" for a built-in, which is the
// running binary.
func (s *Supervisor) Binary(kind string) (path, sha256 string, err error) {
	p, _, err := s.find(kind)
	if err != nil || p.binary.builtIn {
		return "", "", err
	}
	if err := p.usable(false); err != nil {
		return "", "", err
	}
	f, _, err := p.binary.checked()
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	return p.binary.path, p.binary.digest(), nil
}

// Plan asks the plugin of the job's kind what the job would need. Errors are
// the framework's own, or core.ErrPluginCrash, or core.Denied for a plugin
// that is held or refused. It also has a process ready for the job's attempt.
func (s *Supervisor) Plan(ctx context.Context, job *core.Job) (*core.Plan, error) {
	p, err := s.ready(ctx, job.Spec.Kind)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.config.PlanTimeout,
		core.Errorf(core.TimedOut, "plugin %s did not plan the job within %v", p.name, s.config.PlanTimeout))
	defer cancel()
	var r *pluginpb.PlanResponse
	err = p.call(ctx, func(ctx context.Context, c pluginpb.FrameworkClient) (err error) {
		r, err = c.Plan(ctx, &pluginpb.PlanRequest{Job: b})
		return err
	})
	if err == nil {
		err = errorFromWire(r.Error)
	}
	if err != nil {
		return nil, err
	}
	p.prepare()
	plan := new(core.Plan)
	return plan, decode("plan of plugin "+p.name, r.Plan, plan)
}

// Run coordinates an attempt in a process of its own, and returns when the
// coordinator did, or crashed (core.ErrPluginCrash in the chain), or ctx
// ended. No method of host is called after it returned. What host's WantGang,
// ReleaseGang or Send answer with ends the attempt with that error.
func (s *Supervisor) Run(ctx context.Context, kind string, a *core.Attempt, host core.Host) (core.Report, error) {
	p, _, err := s.find(kind)
	if err != nil {
		return core.Report{}, err
	}
	proc, err := p.take()
	if err != nil {
		return core.Report{}, err
	}
	defer func() {
		s.discard(proc)
		if ctx.Err() != nil {
			// Who ended it wants to know what it did: it must be past doing.
			select {
			case <-proc.runner.exited:
			case <-time.After(time.Second):
			}
		}
	}()
	// The next spare would take the processor from this attempt's start, so
	// it waits for the attempt's end, or for a long one to be under way.
	spare := time.AfterFunc(spareDelay, p.prepare)
	defer func() {
		spare.Stop()
		p.prepare()
	}()
	return s.coordinate(ctx, proc, a, host)
}

const spareDelay = 2 * time.Second

// Prepare has the processes for a kind's next job ready: the shared one and
// one for the attempt. It returns when they are, or with why they are not.
func (s *Supervisor) Prepare(kind string) error {
	p, _, err := s.find(kind)
	if err != nil {
		return err
	}
	p.prepare()
	if err := p.usable(true); err != nil {
		return err
	}
	if _, err := p.running(); err != nil {
		return err
	}
	p.awaitSpare()
	return nil
}

// discard ends a process. The process itself is dead at once; what go-plugin
// cleans up after it is not waited for.
func (s *Supervisor) discard(proc *process) {
	_ = proc.runner.Kill(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.wg.Go(proc.kill)
		return
	}
	proc.kill()
}

// Close ends every plugin process. Attempts still running end as crashed; the
// caller ends them by their contexts first.
func (s *Supervisor) Close() {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	all := slices.Clone(s.plugins)
	s.mu.Unlock()
	if closed {
		return
	}
	for _, p := range all {
		p.close()
	}
	s.wg.Wait()
	s.pad.close()
	if s.tmp != nil {
		if err := s.tmp.remove(); err != nil {
			s.config.Log.Warn("the plugins' sockets are left behind", "error", err)
		}
	}
}
