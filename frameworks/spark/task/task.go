// Package task is what a coordinator of Spark jobs and its workers say to each
// other.
//
//	coordinator                         worker
//	   │ Begin{Run} ─────────────────────→ │  rank 0: start Spark's master
//	   │ ←────────────── Ready{Run, …}     │  it takes workers
//	   │ Serve{Run, Master} ─────────────→ │  start a Spark worker
//	   │ ←────────────── Serving{Run}      │  it has registered
//	   │ Drive{Run, Master} ─────────────→ │  rank 0: run the application
//	   │ ←────────────── Seen{Run, …}      │  how far it is
//	   │ ←────────────── Done{Run, …}      │  it has ended, however
//	   │ Stop{Grace} ────────────────────→ │  end everything
//	   │ ←────────────── Stopped           │
//	   │ Ask ────────────────────────────→ │  of a new coordinator: what is here?
//	   │ ←────────────── Holds{…}          │
//
// Messages are JSON: they are few and small.
package task

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/capstan-run/capstan/core"
)

// Down is a coordinator's message: one of its fields is set.
type Down struct {
	Begin *Begin `json:"begin,omitempty"`
	Serve *Serve `json:"serve,omitempty"`
	Drive *Drive `json:"drive,omitempty"`
	Stop  *Stop  `json:"stop,omitempty"`
	Ask   bool   `json:"ask,omitempty"`
}

// Begin starts Spark's master. Run numbers the starts of the application within
// an attempt: what a rank holds of an earlier one it ends first.
type Begin struct {
	Run int `json:"run"`
}

// Serve starts a Spark worker.
type Serve struct {
	Run    int    `json:"run"`
	Master string `json:"master"` // "spark://host:port"
	Web    string `json:"web"`    // of the master
	Secret string `json:"secret"` // of the run: who does not have it is no part of it
}

// Drive runs the application.
type Drive struct {
	Run    int    `json:"run"`
	Master string `json:"master"`
	Secret string `json:"secret"`
}

// Stop ends all that a rank runs: the application gets SIGTERM, and SIGKILL
// Grace later.
type Stop struct {
	Grace time.Duration `json:"grace"`
}

// Up is a worker's message: one of its fields is set.
type Up struct {
	Ready   *Ready   `json:"ready,omitempty"`
	Serving *Serving `json:"serving,omitempty"`
	Seen    *Seen    `json:"seen,omitempty"`
	Done    *Done    `json:"done,omitempty"`
	Fell    *Fell    `json:"fell,omitempty"`
	Stopped bool     `json:"stopped,omitempty"`
	Holds   *Holds   `json:"holds,omitempty"`
}

// Ready says that the master takes workers.
type Ready struct {
	Run     int    `json:"run"`
	Master  string `json:"master"`
	Web     string `json:"web"`     // of the master
	Version string `json:"version"` // of Spark
	Secret  string `json:"secret"`
}

// Serving says that a worker has registered with the master.
type Serving struct {
	Run int `json:"run"`
}

// Seen is how far the application is.
type Seen struct {
	Run         int        `json:"run"`
	Application string     `json:"application"` // Spark's own id of it
	Web         string     `json:"web"`         // of the application
	Stages      []SeeStage `json:"stages"`
}

// SeeStage is a stage of the application, as Spark tells it.
type SeeStage struct {
	Name    string `json:"name"`
	Status  string `json:"status"` // "ACTIVE", "COMPLETE", "FAILED", "PENDING", "SKIPPED"
	Tasks   int    `json:"tasks"`
	Running int    `json:"running"`
	Done    int    `json:"done"`
	Failed  int    `json:"failed"`
}

// Done is the end of the application.
type Done struct {
	Run    int           `json:"run"`
	Code   int           `json:"code"`             // exit code; 128 + Signal if it was killed
	Signal int           `json:"signal,omitempty"` // that killed it; 0: none
	Wall   time.Duration `json:"wall"`
	Tail   string        `json:"tail,omitempty"`  // the last lines of its stderr
	Fault  *core.Error   `json:"fault,omitempty"` // it was not run at all, or its results could not be kept
	// Results and Events are what was put into the store.
	Results Kept `json:"results,omitzero"`
	Events  Kept `json:"events,omitzero"`
}

// Kept is what was put into the store of a folder.
type Kept struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

// Fell says that a master or a worker has ended that should be running, or could
// not be started. A worker is started again; with Final it is not any more.
type Fell struct {
	Run   int        `json:"run"`
	Part  string     `json:"part"` // "master", "worker"
	Why   core.Error `json:"why"`
	Final bool       `json:"final,omitempty"`
}

// Holds is what a rank has: the zero value if it was never told anything.
type Holds struct {
	Run     int    `json:"run,omitempty"`
	Master  *Ready `json:"master,omitempty"`  // it runs
	Serving bool   `json:"serving,omitempty"` // a worker runs
	Driving bool   `json:"driving,omitempty"` // the application runs
	Done    *Done  `json:"done,omitempty"`    // the last application that has ended
}

// maxMessage is more than any honest message of a worker has.
const maxMessage = 1 << 20

// Encode makes a message of v, a *Down or *Up.
func Encode(v any) ([]byte, error) { return json.Marshal(v) }

// Decode reads a message into v, a *Down or *Up. It comes from the job's own
// executor and may be anything.
func Decode(b []byte, v any) error {
	if len(b) > maxMessage {
		return fmt.Errorf("decode %T: %d bytes are too many", v, len(b))
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}
