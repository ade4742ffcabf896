package host

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/journal"
	"github.com/capstan-run/capstan/core/launch"
)

// Config is what a host is made of. Fields without a stated default must be set.
type Config struct {
	StateDir string // everything the host keeps; mode 0700
	// Claim says that StateDir is ours. The host gives it back. nil: Open takes
	// it; but what reaches for the executors of a state directory, such as a
	// launcher, must be made under a claim.
	Claim   *journal.Lock
	Version string

	Launcher    launch.Launcher
	LauncherWhy string // one line, for people
	Frameworks  Frameworks
	Store       Store
	// Trouble tells what ails the store, as a line for people, and "" once it is
	// well again. nil: nobody tells.
	Trouble <-chan string

	// Shm is a directory in shared memory, such as /dev/shm, in which gangs get one
	// each beside the one in StateDir; "" none.
	Shm string

	// ExecutorUser owns the gangs' shared directories; -1 leaves them as they are.
	ExecutorUID, ExecutorGID int

	// Occasional hosts were started by `capstan run` and end with their last job.
	Occasional bool
	// Warm is the number of gang shapes kept ready; 0 keeps none. Default 0.
	Warm int

	Heartbeat   time.Duration // default 500ms
	LostAfter   time.Duration // no heartbeat for so long: lost; default 8s
	AdoptWithin time.Duration // after a restart, executors dial in within; default 15s
	Grace       time.Duration // a coordinator that is asked to end has so long; default 5s

	// What is kept of jobs that ended: the last KeepJobs (default 1000) that are
	// not older than KeepFor (default 30 days). Negative: all of them.
	KeepJobs int
	KeepFor  time.Duration

	Log *slog.Logger
}

func (c *Config) fill() {
	if c.Heartbeat == 0 {
		c.Heartbeat = 500 * time.Millisecond
	}
	if c.LostAfter == 0 {
		c.LostAfter = 8 * time.Second
	}
	if c.AdoptWithin == 0 {
		c.AdoptWithin = 15 * time.Second
	}
	if c.KeepJobs == 0 {
		c.KeepJobs = 1000
	}
	if c.KeepFor == 0 {
		c.KeepFor = 30 * 24 * time.Hour
	}
	if c.Grace == 0 {
		c.Grace = 5 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Frameworks plans and runs jobs; the plugin supervisor is one.
type Frameworks interface {
	// Kinds lists what is served, sorted by kind.
	Kinds() []core.Description
	Plan(ctx context.Context, job *core.Job) (*core.Plan, error)
	// Run has core.ErrPluginCrash in its error's chain when the plugin died.
	Run(ctx context.Context, kind string, a *core.Attempt, h core.Host) (core.Report, error)
	// Binary is the path of the binary that serves kind, and is its worker:
	// "" for this program itself.
	Binary(kind string) (path, sha256 string, err error)
	// Plugins lists what there is; verify starts each and holds it against its
	// pin; accept pins the present binary of one.
	Plugins(ctx context.Context, verify bool, accept string) ([]PluginInfo, error)
}

// PluginInfo describes a plugin for people.
type PluginInfo struct {
	Name    string
	Kinds   []string
	Version string
	Path    string
	SHA256  string
	Pin     string
	State   string
	Message string
}

// Store is the object store as the host needs it.
type Store interface {
	// Door opens an attempt's own, fenceable way into the store: its prefix and
	// the grants, nothing else.
	Door(ctx context.Context, prefix string, grants []core.StoreGrant) (Door, error)
	// Sweep deletes everything under "bucket/prefix/".
	Sweep(ctx context.Context, prefix string) error
	// Admin is the administrator's access.
	Admin() core.StoreAccess
}

// Door is one attempt's way into the store.
type Door interface {
	// Serve answers S3 requests on l until Fence. It returns at once.
	Serve(l net.Listener)
	// Access is what a client of the listener presents; Endpoint is left to the caller.
	Access() core.StoreAccess
	// Fence shuts the door: when it returned, nothing of this attempt can
	// become visible any more.
	Fence()
	// Close frees what the door holds, after Fence.
	Close()
}
