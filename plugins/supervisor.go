package plugins

import (
	"context"
	"log/slog"

	"github.com/capstan-run/capstan/core"
)

// Builtin is a framework served by a command of the host's own binary.
type Builtin struct {
	Name string   // "mapreduce"
	Args []string // after the running binary: {"plugin", "mapreduce"}
	// Descriptions, when set, spare a process at start-up.
	Descriptions []core.Description
}

// Config configures a Supervisor.
type Config struct {
	Dir     string // plugin folder; "" for none
	Pins    string // file of pinned hashes; required with Dir
	Runtime string // private directory for sockets; short path
	BuiltIn []Builtin
	Log     *slog.Logger
}

// Supervisor runs plugin processes.
type Supervisor struct{}

// Info is a line of `plugin list`.
type Info struct {
	Name    string             `json:"name"`
	Kinds   []core.Description `json:"kinds,omitempty"`
	Path    string             `json:"path"`
	SHA256  string             `json:"sha256"`
	Pin     string             `json:"pin"`   // built-in, pinned, unpinned, mismatch
	State   string             `json:"state"` // ready, held, refused
	Message string             `json:"message,omitempty"`
	Crashes int                `json:"crashes,omitempty"`
}

func New(c Config) (*Supervisor, error) { panic("skeleton") }

// Discover looks through the plugin folder and asks every plugin what it serves.
func (s *Supervisor) Discover(ctx context.Context) error { panic("skeleton") }

// Kinds lists what the plugins serve, by kind.
func (s *Supervisor) Kinds() []core.Description { panic("skeleton") }

// Describe answers for one kind; NotFound lists the kinds there are.
func (s *Supervisor) Describe(kind string) (core.Description, error) { panic("skeleton") }

// Binary is the plugin's binary, the init of the kind's executors when
// GangAsk.Program is ""; path "" for a built-in: the running binary.
func (s *Supervisor) Binary(kind string) (path, sha256 string, err error) { panic("skeleton") }

// Plan asks the kind's shared process.
func (s *Supervisor) Plan(ctx context.Context, job *core.Job) (*core.Plan, error) { panic("skeleton") }

// Run coordinates an attempt in a process of its own.
func (s *Supervisor) Run(ctx context.Context, kind string, a *core.Attempt, host core.Host) (core.Report, error) {
	panic("skeleton")
}

// List shows every plugin.
func (s *Supervisor) List() []Info { panic("skeleton") }

// Verify looks at one plugin again; accept pins a changed binary.
func (s *Supervisor) Verify(ctx context.Context, name string, accept bool) (Info, error) {
	panic("skeleton")
}

// Close ends every plugin process.
func (s *Supervisor) Close() { panic("skeleton") }

// Serve is the main function of a plugin binary.
func Serve(frameworks ...core.Framework) { panic("skeleton") }

// ServePlugin serves the frameworks to the host that started this process.
func ServePlugin(frameworks ...core.Framework) { panic("skeleton") }

// Execute is an executor's process: executor.Run and the exit code.
func Execute(frameworks ...core.Framework) int { panic("skeleton") }
