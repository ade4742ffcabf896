package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/binary"
	"github.com/capstan-run/capstan/core/launch/ledger"
)

const (
	answerWithin = 2 * time.Second  // an engine that takes longer to say hello is away
	callWithin   = 60 * time.Second // law D3; a pull has the caller's limit instead
	atOnce       = 32               // engine calls in flight per Start or Stop
)

// Config says where the engine is and what is ours.
type Config struct {
	// StateDir is an absolute directory for copies of binaries and for the
	// executors' scratch directories. Made when missing. One instance has one,
	// and one launcher at a time: what New finds there of no executor it removes.
	StateDir string
	// Instance names the host for ever: [a-zA-Z0-9_.-], at most 40 bytes. Two
	// hosts on one engine have different ones.
	Instance string
	// Endpoint is the engine's address; "" is DOCKER_HOST, or else
	// unix:///var/run/docker.sock.
	Endpoint string
	// Node is what this machine is called; "" is the engine's name for it.
	Node core.NodeID
	// Log hears of the engine's absence and of odd leftovers. nil: silent.
	Log *slog.Logger
}

// Validate reports what is wrong with c.
func (c *Config) Validate() error { return launch.CheckHome(c.StateDir, c.Instance) }

// Launcher runs executors on one engine. It implements [launch.Launcher] and
// [launch.Owner].
type Launcher struct {
	cfg    Config
	engine *client.Client
	node   core.Node
	uid    int
	gid    int
	files  int64 // limit of open files
	host   userland
	base   baseImage
	copies *binary.Cache
	ledger *ledger.Ledger
	nets   networks
	log    *slog.Logger

	stop    context.CancelFunc
	watcher sync.WaitGroup
}

var (
	_ launch.Launcher = (*Launcher)(nil)
	_ launch.Owner    = (*Launcher)(nil)
)

// New connects to the engine and adopts the instance's executors. When nothing
// answers within two seconds the error has [launch.ErrNoEngine] in its chain
// and is fit to be shown: "no Docker engine answers at unix:///…: …".
func New(ctx context.Context, cfg Config) (*Launcher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	engine, err := dial(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	l := &Launcher{cfg: cfg, engine: engine, log: cfg.Log, files: openFiles(), host: findUserland("/", os.Getenv("PATH"))}
	l.uid, l.gid = owner()
	if err := l.open(ctx); err != nil {
		engine.Close()
		return nil, err
	}
	return l, nil
}

func dial(endpoint string) (*client.Client, error) {
	opts := []client.Opt{client.FromEnv}
	if endpoint != "" {
		opts = []client.Opt{client.WithHost(endpoint)}
	}
	engine, err := client.NewClientWithOpts(append(opts, client.WithAPIVersionNegotiation())...)
	if err != nil {
		return nil, (&core.Error{Kind: core.Invalid, What: "the Docker engine's address is not usable", Err: err}).
			At(endpoint).Do("check DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH")
	}
	return engine, nil
}

func (l *Launcher) open(ctx context.Context) error {
	if err := l.hello(ctx); err != nil {
		return err
	}
	var err error
	if l.copies, err = binary.Open(filepath.Join(l.cfg.StateDir, "binaries"), time.Now()); err != nil {
		return stateError(err)
	}
	if err := os.MkdirAll(l.scratchRoot(), 0o711); err != nil {
		return stateError(err)
	}
	l.base = makeBase(l.host)
	l.ledger = ledger.New()
	if err := l.adopt(ctx); err != nil {
		l.ledger.Close()
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.watch(background)
	return nil
}

// Version asks the engine at endpoint (as Config.Endpoint) who it is:
// "20.10.24, API 1.41". The error is that of New.
func Version(ctx context.Context, endpoint string) (string, error) {
	engine, err := dial(endpoint)
	if err != nil {
		return "", err
	}
	defer engine.Close()
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	v, err := engine.ServerVersion(ctx)
	if err != nil {
		return "", silent(engine, err)
	}
	return fmt.Sprintf("%s, API %s", v.Version, v.APIVersion), nil
}

// silent is the error of an engine that does not say who it is.
func silent(engine *client.Client, cause error) *core.Error {
	return &core.Error{
		Kind:   core.HostLost,
		What:   fmt.Sprintf("no Docker engine answers at %s", engine.DaemonHost()),
		Remedy: "start Docker, or set DOCKER_HOST, or choose the process launcher",
		Err:    noEngine{cause},
	}
}

// hello asks the engine who it is.
func (l *Launcher) hello(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	info, err := l.engine.Info(ctx)
	if err != nil {
		return silent(l.engine, err)
	}
	if info.OSType != "linux" {
		return core.Errorf(core.Invalid, "the Docker engine at %s runs %s containers", l.engine.DaemonHost(), info.OSType).
			Do("switch the engine to Linux containers")
	}
	l.node = core.Node{ID: l.cfg.Node, Capacity: core.Resources{
		CPU: core.MilliCPU(info.NCPU) * 1000, Memory: core.Bytes(info.MemTotal),
	}}
	if l.node.ID == "" {
		l.node.ID = core.NodeID(info.Name)
	}
	return nil
}

// noEngine is the engine's silence: it reads as its cause and is
// launch.ErrNoEngine.
type noEngine struct{ cause error }

func (e noEngine) Error() string {
	if errors.Is(e.cause, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %s", answerWithin)
	}
	if client.IsErrConnectionFailed(e.cause) {
		return "nothing listens there" // its own word repeats the address
	}
	return e.cause.Error()
}
func (e noEngine) Unwrap() []error { return []error{launch.ErrNoEngine, e.cause} }

// owner is the user of every container: the host's, unless that is root.
func owner() (uid, gid int) {
	if os.Getuid() == 0 {
		return nobody, nobody
	}
	return os.Getuid(), os.Getgid()
}

// Name is "docker".
func (l *Launcher) Name() string { return "docker" }

// Owner returns the user and group every container runs as.
func (l *Launcher) Owner() (uid, gid int) { return l.uid, l.gid }

// Nodes lists the engine's machine with all its CPU and memory: what the host
// keeps for itself is the host's decision.
func (l *Launcher) Nodes(context.Context) ([]core.Node, error) {
	return []core.Node{l.node}, nil
}

// Exits delivers ends as they happen. Closed by Close.
func (l *Launcher) Exits() <-chan launch.Exit { return l.ledger.Exits() }

// Close releases the launcher. It stops no executor.
func (l *Launcher) Close() error {
	l.stop()
	l.watcher.Wait()
	l.sweepLate()
	l.ledger.Close()
	return l.engine.Close()
}

func (l *Launcher) scratchRoot() string { return filepath.Join(l.cfg.StateDir, "scratch") }

func (l *Launcher) scratch(id string) string { return filepath.Join(l.scratchRoot(), id) }

// container is the name of an executor's container.
func (l *Launcher) container(id string) string { return "capstan-" + l.cfg.Instance + "-" + id }

// ours selects what carries the instance's label.
func (l *Launcher) ours() filters.Args {
	return filters.NewArgs(filters.Arg("label", launch.LabelInstance+"="+l.cfg.Instance))
}

func stateError(err error) *core.Error {
	return (&core.Error{Kind: core.Internal, What: "prepare the launcher's state directory", Err: err}).
		Do("check the directory's permissions and free space")
}

// call gives an engine call its own life (law D3).
func call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), callWithin)
}

// each runs do for every index below n, at most atOnce at a time, and returns
// the errors joined.
func each(n int, do func(int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	free := make(chan struct{}, atOnce)
	for i := range n {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			errs[i] = do(i)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
