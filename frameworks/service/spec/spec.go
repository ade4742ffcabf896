// Package spec is the body of a Service document: its Go form, its JSON Schema,
// its defaults and its checks.
package spec

import (
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Body is what stands under `spec:`. The number of copies is gang.size.
type Body struct {
	// Exec is the command and its arguments. Its end, with whatever status, is
	// a failure of the copy.
	Exec  []string          `json:"exec"`
	Files []string          `json:"files,omitempty"` // shipped; in the command's working directory
	Env   map[string]string `json:"env,omitempty"`
	Ports []Port            `json:"ports,omitempty"`
	// Ready says when a copy takes requests. Without it, a copy is ready while
	// its command runs and Health passes.
	Ready *Probe `json:"ready,omitempty"`
	// Health says when a copy that runs is no good any more: it is restarted.
	Health *Probe `json:"health,omitempty"`
	// StartWithin is how long a command may take to be ready; default 1m.
	StartWithin core.Duration `json:"startWithin,omitempty"`
	Restart     Restart       `json:"restart,omitzero"`
	Update      Update        `json:"update,omitzero"`
	Stop        Stop          `json:"stop,omitzero"`
	// Ordered starts copy i when copy i-1 is ready, and stops them in reverse.
	Ordered bool `json:"ordered,omitempty"`
	// Volumes are directories that each copy has for itself and comes back to.
	Volumes []Volume `json:"volumes,omitempty"`
}

// Port is where a copy listens. The command finds it in its environment, as
// PORT0, PORT1, … and as PORT_<NAME>.
type Port struct {
	Name string `json:"name"`
	// Port is the number; 0 hands a free one out. Copies that share a machine's
	// network, as plain processes do, need 0.
	Port int `json:"port,omitempty"`
}

// Probe is a check that runs beside the command, in its executor: exactly one
// of HTTP, TCP and Exec.
type Probe struct {
	HTTP *HTTP `json:"http,omitempty"`
	// TCP is the name of a port that has to accept connections.
	TCP string `json:"tcp,omitempty"`
	// Exec has to end with status 0.
	Exec      []string      `json:"exec,omitempty"`
	Interval  core.Duration `json:"interval,omitempty"`  // default 1s
	Timeout   core.Duration `json:"timeout,omitempty"`   // default 1s
	Threshold int           `json:"threshold,omitempty"` // so many failures in a row count; default 3
	// Grace is how long after the command's start failures of health do not
	// count, unless it has passed before. Default StartWithin.
	Grace core.Duration `json:"grace,omitempty"`
}

// HTTP passes when GET answers with a status from 200 to 399.
type HTTP struct {
	Path string `json:"path,omitempty"` // default "/"
	Port string `json:"port,omitempty"` // its name; default the first one
}

// Restart is how a copy that failed comes back: in its executor at first, then
// in a new one. The pause doubles with each failure, from Backoff to Max, and
// a failure is forgiven for each Decay of being ready.
type Restart struct {
	InPlace *int          `json:"inPlace,omitempty"` // default 3
	Backoff core.Duration `json:"backoff,omitempty"` // default 1s
	Max     core.Duration `json:"max,omitempty"`     // default 1m
	Decay   core.Duration `json:"decay,omitempty"`   // default 1m
}

// Update is how a new version takes the old one's place.
type Update struct {
	// MaxUnavailable is how many copies may be missing for the update's sake,
	// MaxSurge how many may run beyond the wanted: numbers, or parts such as
	// "25%" (the default; the first is rounded down, the second up). If both
	// come to nothing, one may be missing. Copies with volumes have no surge, and
	// those that may not share a node (UNIQUE, MAX_PER, gang.ports) none by default.
	MaxUnavailable Amount `json:"maxUnavailable,omitempty"`
	MaxSurge       Amount `json:"maxSurge,omitempty"`
	Order          string `json:"order,omitempty"` // "ascending" (default) or "descending", by copy
	// Settle is how long a copy is ready before it counts. Default 0, and 2s
	// where neither ready nor health says more than that it runs.
	Settle *core.Duration `json:"settle,omitempty"`
	// Tries is how often one copy may fail before it was ready; default 3.
	Tries int `json:"tries,omitempty"`
	// Within is how long may pass without another copy becoming ready; default 10m.
	Within core.Duration `json:"within,omitempty"`
	// Rollback goes back to the last good version when the new one fails; default true.
	Rollback *bool   `json:"rollback,omitempty"`
	Canary   *Canary `json:"canary,omitempty"`
}

// Canary gives the new version to the first Copies only, until they have been
// ready for Hold without a failure.
type Canary struct {
	Copies int           `json:"copies,omitempty"` // default 1
	Hold   core.Duration `json:"hold,omitempty"`   // default 30s
}

// Stop is how a copy is stopped: it is no longer ready, Drain later it gets
// Signal, and Grace after that it is killed.
type Stop struct {
	Drain  *core.Duration `json:"drain,omitempty"`  // default 1s where there are ports, else 0
	Grace  core.Duration  `json:"grace,omitempty"`  // default 10s
	Signal string         `json:"signal,omitempty"` // TERM (default), INT, QUIT, HUP, USR1, USR2
}

// Volume is a directory of one copy's own.
type Volume struct {
	Name string `json:"name"`
	// Path is where containers see it; default /capstan/volumes/<name>. The
	// command finds it in VOLUME_<NAME>.
	Path string `json:"path,omitempty"`
}

// Variable is the one that tells a command where the volume is.
func (v Volume) Variable() string { return "VOLUME_" + variable(v.Name) }

// Variable is the one that tells a command the number of the port.
func (p Port) Variable() string { return "PORT_" + variable(p.Name) }

func variable(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }
