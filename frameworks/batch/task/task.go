// Package task is what a coordinator of Batch jobs and its workers say to each
// other.
//
//	coordinator                        worker
//	   │ Run{Try, Nodes} ───────────────→ │  starts a try of the rank's task
//	   │ Stop{Grace} ───────────────────→ │  signal, then after Grace SIGKILL
//	   │ Ask ───────────────────────────→ │  of a new coordinator: what is here?
//	   │ ←──────────────── Holds{…}       │  the answer: running, done or nothing
//	   │ ←────────────────  Done{Try, …}  │  a try has ended, however
//
// Messages are JSON: they are few and small, one pair for each try.
package task

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/capstan-run/capstan/core"
)

// Down is a coordinator's message: one of its fields is set.
type Down struct {
	Run  *Run  `json:"run,omitempty"`
	Stop *Stop `json:"stop,omitempty"`
	Ask  bool  `json:"ask,omitempty"`
}

// Run starts a try.
type Run struct {
	Try   int           `json:"try"`   // never used twice for a rank
	Nodes []core.NodeID `json:"nodes"` // of the gang, by rank
}

// Stop ends the running try: it gets the job's signal, and is killed Grace
// later. With After it has so long to end by itself first; a second Stop
// replaces one that waits, and one that is Off takes it back. Done answers as for
// any other end. Without a running try it does nothing.
type Stop struct {
	After time.Duration `json:"after,omitempty"`
	Grace time.Duration `json:"grace"`
	Off   bool          `json:"off,omitempty"`
}

// Up is a worker's message: one of its fields is set.
type Up struct {
	Done  *Done  `json:"done,omitempty"`
	Holds *Holds `json:"holds,omitempty"`
}

// Holds is what a worker has: both fields empty if it was never told to run.
type Holds struct {
	Running int   `json:"running,omitempty"` // the try that runs; 0: none
	Done    *Done `json:"done,omitempty"`    // the last that has ended
}

// Done is the end of a try.
type Done struct {
	Try      int           `json:"try"`
	Code     int           `json:"code"`               // exit code; 128 + Signal if it was killed
	Signal   int           `json:"signal,omitempty"`   // that killed it; 0: none
	Stopped  bool          `json:"stopped,omitempty"`  // it ended after a Stop's signal
	TimedOut bool          `json:"timedOut,omitempty"` // it took longer than spec.timeout
	Wall     time.Duration `json:"wall"`
	CPU      time.Duration `json:"cpu"`
	MaxRSS   core.Bytes    `json:"maxRSS"` // of the largest process
	// AtMost says that MaxRSS may be the worker's own: a process begins as a
	// copy of it, and Linux counts that in.
	AtMost bool        `json:"atMost,omitempty"`
	Tail   string      `json:"tail,omitempty"`  // the last lines of stderr
	Fault  *core.Error `json:"fault,omitempty"` // it was not run at all, or its streams could not be kept
	// Streams that belong into files of the host's machine lie at [Object]:
	// "stdout", "stderr". Which files these are the coordinator knows by itself.
	Streams []string `json:"streams,omitempty"`
}

// Object is where a worker leaves a stream for its coordinator: "bucket/key"
// below the attempt's prefix.
func Object(prefix, gang string, rank, try int, stream string) string {
	return fmt.Sprintf("%sstreams/%s.%d.%d.%s", prefix, gang, rank, try, stream)
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
