// Package launch starts, watches, stops and lists executors. One interface,
// [Launcher]; a package beside it for each engine; and a conformance suite,
// launchtest, that each of them passes.
//
// # Model
//
// An executor is one container (or process) running an init binary with a
// bootstrap file. Everything a launcher makes carries labels, so that a host
// that comes back after a crash finds its own by List, and nothing is ever an
// orphan: what List shows and the journal does not know is stopped.
//
// # Laws
//
//	L1  Start returns only when the engine has accepted every executor, or none
//	    is left: a failure stops those already started.
//	L2  An executor outlives the host process. Only Stop, its own end, or its
//	    own lease (no host for Executor.OrphanAfter) ends it.
//	L3  Exits delivers each end at most once, and within a second of it. An
//	    executor that dies before Start has returned is delivered once Start
//	    has; one that Stop ended is not delivered at all.
//	L4  Stop is idempotent; after it returns nothing of the executor is left:
//	    no container, process, network or mount.
//	L5  Nothing assumes one disk. Paths in an Executor are the launcher's to
//	    realise: on this machine by bind mounts; elsewhere see the table.
//	L6  Every executor runs as the launcher's [Owner]. The host makes what an
//	    executor must read or write (Shared, Shm, its sockets, the bootstrap file)
//	    accessible to that user before Start.
//
// How each call maps to other engines:
//
//	           Docker, process          Swarm                        Kubernetes
//	Nodes      engine info              node ls                      nodes, allocatable
//	Start      create+start, parallel   one service per rank,        one pod per rank with nodeName,
//	                                    constraint node.id==         volumes from a CSI or emptyDir
//	Shared     bind mount               volume per node              emptyDir of a node-local set
//	Shm        bind mount of tmpfs      volume of type tmpfs         emptyDir of medium Memory
//	Address    unix socket in Shared    tcp, the advertised address  tcp, a Service
//	Volumes    bind mount               volume per node              a claim of its own, node-local
//	Names      aliases on a bridge      aliases on an overlay        a headless Service
//	Files      bind mount               config, or fetched on start  fetched by the init container
//	Exits      events + wait            task events                  watch pods
//	List       label filter             label filter                 label selector
package launch

import (
	"context"
	"errors"
	"time"

	"github.com/capstan-run/capstan/core"
)

// Launcher runs executors on one engine. Methods are safe for concurrent use.
type Launcher interface {
	// Name is "docker" or "process".
	Name() string
	// Nodes lists the machines and what they can hold.
	Nodes(ctx context.Context) ([]core.Node, error)
	// Start starts all of set in parallel, or none (law L1). Errors are
	// *core.Error and name the executor, the node and the remedy.
	Start(ctx context.Context, set []Executor) error
	// Stop ends executors at once (kill, not ask) and removes what they left.
	// Unknown ids are no error.
	Stop(ctx context.Context, ids ...string) error
	// List shows every executor of this host's instance, running or ended.
	List(ctx context.Context) ([]Status, error)
	// Exits delivers ends as they happen. The channel lives as long as the
	// launcher; ends that happened while no host ran are found by List.
	Exits() <-chan Exit
	// Tail returns the last output (stderr and stdout) of an executor, at most
	// 16 KiB, also after it ended and before Stop.
	Tail(ctx context.Context, id string) string
	// Close releases the launcher. It stops no executor.
	Close() error
}

// Owner is what a [Launcher] implements to say as whom executors run (law L6).
type Owner interface {
	// Owner returns the user and group id of every executor.
	Owner() (uid, gid int)
}

// ErrNoEngine is in the chain of what a launcher's constructor returns when
// nothing answers where the engine should be: the caller may fall back to
// another launcher and say why.
var ErrNoEngine = errors.New("no engine answers")

// Executor is what to start.
type Executor struct {
	ID     string // unique on the host for ever; [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 180 bytes
	Node   core.NodeID
	Labels map[string]string // at least "job", "epoch", "gang", "rank" once known; kept by the engine
	CPU    core.MilliCPU
	Memory core.Bytes
	PIDs   int64 // limit; default 512

	Image    string // "" built-in, "host" built-in + userland, else a reference
	Userland bool   // mount the machine's own /usr, /bin, /lib read-only
	Network  string // "" none; else the name of a network, made on demand
	// Together names those executors of this machine with which this one shares
	// memory segments and sees processes; "" is none. They end when the one ends
	// that was started first. A launcher without walls ignores it.
	Together string
	// Names are what the executor is called in Network, beside its ID. Several
	// executors may share one. An executor with Names finds the file HostsFile in
	// its scratch directory and may write it: it is the container's /etc/hosts.
	// A launcher without networks ignores all of this.
	Names []string
	// Volumes are directories of this machine that outlive the executor,
	// read-write.
	Volumes []Volume

	Init []string // argv after the binary: {"executor"}
	// Binary is the path on this machine of the init binary; "" is the running one.
	Binary string
	// Shared is a directory of this machine that all ranks of the gang see at
	// SharedPath. It holds the bootstrap files, the sockets and local data.
	Shared string
	// Shm is such a directory in shared memory, seen at ShmPath; "" is none. What
	// an executor puts there counts as its Memory.
	Shm string
	// Bootstrap is the name of this executor's bootstrap file within Shared.
	// The init binary gets it as environment CAPSTAN_BOOTSTRAP, a full path.
	Bootstrap string
	// Files maps names under FilesPath to files of this machine, read-only.
	Files map[string]string
	// ReadOnly lists absolute paths shown under the same path, read-only.
	ReadOnly []string
	// OrphanAfter is how long the executor lives without its host; the init
	// binary enforces it. Default 15 minutes.
	OrphanAfter time.Duration
}

// Volume is a directory of this machine and where the executor sees it: at Path
// in a container; a process sees Dir itself. The variable Env, if not "", says which.
type Volume struct{ Dir, Path, Env string }

// HostsFile is what a container's /etc/hosts is called in its scratch directory.
const HostsFile = "hosts"

// Where things lie inside a container. The process launcher uses directories
// of the machine instead and passes them as CAPSTAN_SHARED, CAPSTAN_SHM,
// CAPSTAN_SCRATCH, CAPSTAN_FILES; so does Docker, with these values.
const (
	SharedPath  = "/capstan/gang"
	ShmPath     = "/capstan/shm"
	ScratchPath = "/capstan/scratch"
	FilesPath   = "/capstan/files"
	BinaryPath  = "/capstan/init"
)

// What an executor finds in its environment, beside PATH, HOME and TMPDIR
// (both the scratch directory) and GOMEMLIMIT (nine tenths of Memory).
const (
	EnvBootstrap = "CAPSTAN_BOOTSTRAP" // full path of the bootstrap file
	EnvShared    = "CAPSTAN_SHARED"    // the gang's directory, read-write
	EnvShm       = "CAPSTAN_SHM"       // the gang's directory in shared memory, read-write; unset where there is none
	EnvScratch   = "CAPSTAN_SCRATCH"   // the executor's own directory, on disk, empty at first
	EnvFiles     = "CAPSTAN_FILES"     // directory of Files, read-only
	EnvExecutor  = "CAPSTAN_EXECUTOR"  // "<instance>/<id>"
)

// Labels a launcher adds to Executor.Labels, and on everything it makes.
const (
	LabelInstance = "capstan.instance"
	LabelExecutor = "capstan.executor"
)

// DefaultPIDs is the limit of processes and threads where Executor.PIDs is 0.
const DefaultPIDs = 512

// Status is an executor as the engine sees it.
type Status struct {
	ID      string
	Labels  map[string]string
	Running bool
	Exit    Exit // when not running
	Started time.Time
}

// Exit is the end of an executor.
type Exit struct {
	ID string
	// Code is the exit status; 128+n for signal n; -1 if unknown.
	Code   int
	OOM    bool
	Reason string // "exit status 2", "killed by signal 9", "out of memory (limit 512Mi)"
}
