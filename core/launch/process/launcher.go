package process

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/binary"
	"github.com/capstan-run/capstan/core/launch/ledger"
)

// Config says what is ours.
type Config struct {
	// StateDir is an absolute directory for the executors' records, output and
	// scratch. Made when missing. One instance has one, and one launcher at a time.
	StateDir string
	// Instance names the host for ever: [a-zA-Z0-9_.-], at most 40 bytes.
	Instance string
	// Node is what this machine is called; "" is its host name.
	Node core.NodeID
	// Log hears of odd leftovers. nil: silent.
	Log *slog.Logger
}

// Validate reports what is wrong with c.
func (c *Config) Validate() error { return launch.CheckHome(c.StateDir, c.Instance) }

// Launcher runs executors as processes. It implements [launch.Launcher] and
// [launch.Owner].
type Launcher struct {
	cfg    Config
	boot   string // id of this boot of the machine (law P1)
	node   core.Node
	copies *binary.Cache
	ledger *ledger.Ledger
	log    *slog.Logger

	mu      sync.Mutex
	watched map[string]*watch // executors whose end is awaited
	closed  bool

	quit   chan struct{}
	rooms  sync.WaitGroup // the watchers and the trimmer
	closer sync.Once
}

var (
	_ launch.Launcher = (*Launcher)(nil)
	_ launch.Owner    = (*Launcher)(nil)
)

// New opens the state folder and adopts the executors that run.
func New(_ context.Context, cfg Config) (*Launcher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	l := &Launcher{cfg: cfg, log: cfg.Log, watched: map[string]*watch{}, quit: make(chan struct{})}
	if err := l.open(); err != nil {
		return nil, (&core.Error{Kind: core.Internal, What: "open the process launcher", Err: err}).
			At(cfg.StateDir).Do("check the directory's permissions and free space")
	}
	return l, nil
}

func (l *Launcher) open() error {
	if err := os.MkdirAll(l.root(), 0o711); err != nil {
		return err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	l.boot = string(boot[:min(len(boot), 36)])
	if l.node, err = machine(l.cfg.Node); err != nil {
		return err
	}
	if l.copies, err = binary.Open(filepath.Join(l.cfg.StateDir, "binaries"), time.Now()); err != nil {
		return err
	}
	l.ledger = ledger.New()
	if err := l.adopt(); err != nil {
		l.Close()
		return err
	}
	l.rooms.Go(l.trim)
	return nil
}

// machine measures this machine.
func machine(name core.NodeID) (core.Node, error) {
	if name == "" {
		host, err := os.Hostname()
		if err != nil {
			return core.Node{}, err
		}
		name = core.NodeID(host)
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return core.Node{}, fmt.Errorf("measure memory: %w", err)
	}
	return core.Node{ID: name, Capacity: core.Resources{
		CPU:    core.MilliCPU(runtime.NumCPU()) * 1000,
		Memory: core.Bytes(uint64(info.Totalram) * uint64(info.Unit)),
	}}, nil
}

// Name is "process".
func (l *Launcher) Name() string { return "process" }

// Owner is the host's own user and group.
func (l *Launcher) Owner() (uid, gid int) { return os.Getuid(), os.Getgid() }

// Nodes lists this machine with all its CPU and memory.
func (l *Launcher) Nodes(context.Context) ([]core.Node, error) {
	return []core.Node{l.node}, nil
}

// Exits delivers ends as they happen. Closed by Close.
func (l *Launcher) Exits() <-chan launch.Exit { return l.ledger.Exits() }

// Close releases the launcher. It stops no executor.
func (l *Launcher) Close() error {
	l.closer.Do(func() {
		close(l.quit)
		l.mu.Lock()
		l.closed = true
		for _, w := range l.watched {
			w.cancel()
		}
		l.mu.Unlock()
		l.rooms.Wait()
		l.ledger.Close()
	})
	return nil
}

func (l *Launcher) root() string { return filepath.Join(l.cfg.StateDir, "executors") }

func (l *Launcher) dir(id string) string { return filepath.Join(l.root(), id) }

// mark is what every process of an executor carries in its environment.
func (l *Launcher) mark(id string) string { return launch.Mark(l.cfg.Instance, id) }
