// Package cli is the capstan command: what people type and read.
//
// # Laws
//
//	L1  Data goes to stdout, everything else to stderr.
//	L2  The exit code is the outcome: core.ErrKind.ExitCode. A lost connection
//	    is never a success.
//	L3  Off a terminal nothing is redrawn: plain lines, and only when something
//	    changed.
//	L4  Interrupting a followed job detaches from it; it does not end it.
//	L5  -o json prints exactly one JSON document (or one a line, for what comes
//	    as a stream: events, logs, store ls, cancel); -o yaml the same as YAML;
//	    -o name the bare names, one a line.
//	L6  A second host is not started on a state directory where one answers.
//
// What the commands do is wired in by main.go ([Wiring]); this package knows the
// API and no framework.
package cli

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
)

// Wiring is what this binary can do beyond the API. main.go fills it in.
type Wiring struct {
	Version string
	// Kinds are the built-in frameworks, for commands that need no host.
	Kinds []core.Description
	// Check finds what a schema cannot say in a spec of a built-in kind.
	Check func(*core.Spec) []core.Diagnostic
	// Scripts makes documents of scripts; nil: commands take documents only.
	Scripts *Scripts
	// Fronts are commands that stand for a job.
	Fronts []Front
	// Host runs a host until ctx ends or somebody shuts it down.
	Host func(ctx context.Context, o HostOptions) error
	// Engine asks the container engine who it is, within seconds: a version, or
	// why there is none. nil: this binary starts plain processes only.
	Engine func(context.Context) (string, error)
	// Store opens the object store.
	Store func(core.StoreAccess) (Store, error)
	// Patience is how long a host may be away before a command that follows a
	// job gives up on it. Default 30s.
	Patience time.Duration
	// Extra commands: the benchmark harness.
	Extra []*cobra.Command
}

// HostOptions is what `capstan up` was asked for.
type HostOptions struct {
	StateDir   string
	Launcher   string // "auto", "docker", "process"
	Listen     string // extra TCP address; "" for none
	TLSCert    string // files; required for an address beyond loopback
	TLSKey     string
	Plugins    string // plugin folder
	Warm       int    // gang shapes kept warm
	Occasional bool
	Store      core.StoreAccess // Endpoint "" means the embedded store
	Verbose    bool
	// Ready is called once the API answers.
	Ready func(line string)
}

// Store is the object store as the store commands need it. Paths are
// "bucket/key".
type Store interface {
	List(ctx context.Context, prefix string, each func(path string, size int64, modified time.Time) error) error
	Get(ctx context.Context, path string, w io.Writer) error
	Put(ctx context.Context, path string, r io.Reader, size int64) error
	// Result writes the rows of a committed result, as text.
	Result(ctx context.Context, url string, w io.Writer) error
}
