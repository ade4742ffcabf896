package core

import (
	"encoding/json"
	"time"
)

// JobID names a job for ever: [a-z0-9-], at most 63 bytes, unique on a host.
type JobID string

// Epoch numbers the attempts of a job from 1. It fences (law C1).
type Epoch int64

// Spec is a submitted document, checked and with its defaults filled in.
type Spec struct {
	APIVersion string   `json:"apiVersion"` // "capstan/v1"
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Gang       Gang     `json:"gang"`
	// Body is the framework's own part, `spec:` in the document, as JSON. It
	// satisfies the framework's JSON Schema.
	Body json.RawMessage `json:"spec"`
}

// Metadata is what every kind of job has.
type Metadata struct {
	Name     string            `json:"name"`
	Queue    string            `json:"queue,omitempty"`    // default "default"
	Priority int               `json:"priority,omitempty"` // 0..100, default 50; higher runs first
	Walltime Duration          `json:"walltime,omitempty"` // 0: no limit
	Retries  int               `json:"retries,omitempty"`  // further attempts after the first failed one
	Labels   map[string]string `json:"labels,omitempty"`
	// User is who is charged for what the job uses. Default "".
	User string `json:"user,omitempty"`
	// When says what else must be so before the job may start.
	When When `json:"when,omitzero"`
	// Reservation is the reservation in advance whose nodes the job runs on.
	Reservation string `json:"reservation,omitempty"`
	// Array makes the job so many gangs, one for each index: see ParseArray.
	Array string `json:"array,omitempty"` // "0-999", "1,5,9-20:2", "0-999%50" (at most 50 at once)
}

// When holds a job back. The zero value holds nothing back.
type When struct {
	Hold      bool         `json:"hold,omitempty"`      // until somebody releases it
	Begin     time.Time    `json:"begin,omitzero"`      // not before
	Deadline  time.Time    `json:"deadline,omitzero"`   // refused if it cannot end by then
	After     []Dependency `json:"after,omitempty"`     // all of them
	Singleton bool         `json:"singleton,omitempty"` // only one job of this name and user runs at a time
}

// Dependency is another job that has to have ended.
type Dependency struct {
	Job JobID `json:"job"`
	// Ended is how: "ok" (the default), "failed" or "any".
	Ended string `json:"ended,omitempty"`
	// Each holds index i of an array back only until index i of Job has ended.
	Each bool `json:"each,omitempty"`
}

// Gang is the shape the user asks for.
type Gang struct {
	Size int `json:"size,omitempty"` // executors; default 2
	// Min and Max make the gang elastic: it starts with at least Min executors
	// and grows to Size when there is room; somebody may ask for up to Max.
	// Default Size.
	Min       int          `json:"min,omitempty"`
	Max       int          `json:"max,omitempty"`
	CPU       MilliCPU     `json:"cpu,omitempty"`    // of each executor; default 1000m
	Memory    Bytes        `json:"memory,omitempty"` // of each executor; default 512Mi
	Placement PlacementAsk `json:"placement,omitzero"`
	// Generic is what each executor takes of its node's generic resources,
	// such as {"gpu": 1}; Licences what the whole gang takes of the cluster's.
	Generic  map[string]int64 `json:"generic,omitempty"`
	Licences map[string]int64 `json:"licences,omitempty"`
	// Ports are the node's ports that each executor takes, so that no two lie
	// on one node.
	Ports       []int        `json:"ports,omitempty"`
	Constraints []Constraint `json:"constraints,omitempty"`
	// Roles are parts of the gang with a size and resources of their own. Ranks
	// are numbered role after role. With roles, Size is their sum, and what a
	// role leaves out is the gang's.
	Roles []Role `json:"roles,omitempty"`
	// Restart is what the loss of an executor brings about: "none", "member"
	// (a new one in its place), "role" or "gang". Default: as the framework asks.
	Restart string `json:"restart,omitempty"`
	// Grace is what a gang that has to give way has from the notice to the end.
	// Default 30s.
	Grace Duration `json:"grace,omitempty"`
	// Image is the container image of the executors. "" is the built-in image,
	// which holds only Capstan; "host" is the built-in image plus the machine's
	// own /usr, /bin and /lib, read-only.
	Image string `json:"image,omitempty"`
	// Network asks for a network of the gang's own. Default: none at all.
	Network      bool     `json:"network,omitempty"`
	StartTimeout Duration `json:"startTimeout,omitempty"` // all up within this, else released and requeued; default 60s
}

// PlacementAsk says how the ranks should lie in the topology. At most one of
// Pack and Spread names a level: "numa" (pack only), "host", "rack", "zone".
type PlacementAsk struct {
	Pack   string `json:"pack,omitempty"`
	Spread string `json:"spread,omitempty"`
	// Preferred relaxes the level to the next wider one (spread: narrower) when
	// the gang has waited Wait at it without a place; at once if Wait is 0.
	Preferred bool     `json:"preferred,omitempty"`
	Wait      Duration `json:"wait,omitempty"`
	// PerHost is the most ranks on one host. Default: no limit.
	PerHost int `json:"perHost,omitempty"`
	// Slice keeps each run of so many ranks within one domain of SliceLevel.
	Slice      int    `json:"slice,omitempty"`
	SliceLevel string `json:"sliceLevel,omitempty"`
}

// Constraint limits the nodes a gang may lie on by an attribute of them: a
// label, or "host", "rack", "zone", or (for APART) "job".
type Constraint struct {
	Attribute string `json:"attribute"`
	// Operator is one of
	//
	//	LIKE, UNLIKE   the value matches the regular expression Value, or does not
	//	CLUSTER        all ranks on one value; on Value if that is given
	//	UNIQUE         no two ranks on one value
	//	GROUP_BY       spread evenly over the values; over at least Value of them
	//	MAX_PER        at most Value ranks on one value
	//	APART          no executor of a job with label Attribute=Value on the host
	Operator string `json:"operator"`
	Value    string `json:"value,omitempty"`
}

// Role is a part of a gang. Zero fields are the gang's.
type Role struct {
	Name        string           `json:"name"`
	Size        int              `json:"size"`
	Min         int              `json:"min,omitempty"` // default Size
	Max         int              `json:"max,omitempty"` // default Size
	CPU         MilliCPU         `json:"cpu,omitempty"`
	Memory      Bytes            `json:"memory,omitempty"`
	Generic     map[string]int64 `json:"generic,omitempty"`
	Ports       []int            `json:"ports,omitempty"`
	Constraints []Constraint     `json:"constraints,omitempty"`
	Restart     string           `json:"restart,omitempty"`
}

// Job is one submitted spec and what became of it.
type Job struct {
	ID        JobID     `json:"id"`
	Spec      Spec      `json:"spec"`
	State     State     `json:"state"`
	Epoch     Epoch     `json:"epoch"` // current or last attempt; 0 before the first
	Submitted time.Time `json:"submitted"`
	Started   time.Time `json:"started,omitzero"` // first gang up
	Ended     time.Time `json:"ended,omitzero"`
	Progress  Progress  `json:"progress,omitzero"`
	Outcome   *Outcome  `json:"outcome,omitempty"` // set once State is final
	// Queue is the one that serves the job, which may have named another or none.
	// It is told where a job is shown.
	Queue string `json:"queue,omitempty"`
	// Executors is how many an elastic gang has at the moment. It is told where a
	// job is shown.
	Executors int `json:"executors,omitempty"`
	// Awaits is the part of Spec.Metadata.When that a queued job still waits for. It
	// is told where a job is shown.
	Awaits When `json:"awaits,omitzero"`
}

// State is where a job is in its life.
//
//	Queued ─→ Starting ─→ Running ─→ Succeeded
//	   ↑         │           ├─────→ Failed
//	   └─────────┴───────────┤       TimedOut
//	       requeued          └─────→ Cancelled
type State string

const (
	Queued    State = "queued"
	Starting  State = "starting"
	Running   State = "running"
	Succeeded State = "succeeded"
	FailedJob State = "failed"
	Canceled  State = "cancelled"
	Expired   State = "timed-out"
)

// Final reports whether a job in s will never change again.
func (s State) Final() bool {
	switch s {
	case Succeeded, FailedJob, Canceled, Expired:
		return true
	}
	return false
}

// Outcome is how a job ended.
type Outcome struct {
	Kind   ErrKind `json:"kind,omitempty"` // "" for success
	What   string  `json:"what,omitempty"` // why it failed
	Where  string  `json:"where,omitempty"`
	Remedy string  `json:"remedy,omitempty"`
	Detail string  `json:"detail,omitempty"`
	Report Report  `json:"report,omitzero"`
}

// OutcomeOf turns what a coordinator returned into an outcome.
func OutcomeOf(err error, report Report) *Outcome {
	if err == nil {
		return &Outcome{Report: report}
	}
	e := AsError(err)
	what := e.What
	if e.Err != nil {
		if what != "" {
			what += ": "
		}
		what += e.Err.Error()
	}
	return &Outcome{Kind: e.Kind, What: what, Where: e.Where, Remedy: e.Remedy, Detail: e.Detail, Report: report}
}

// Err is the outcome as an error, nil for success.
func (o *Outcome) Err() error {
	if o == nil || o.Kind == "" {
		return nil
	}
	return &Error{Kind: o.Kind, What: o.What, Where: o.Where, Remedy: o.Remedy, Detail: o.Detail}
}

// Report is what a job tells the user at its end: where the result lies, what
// it cost, and a look at it.
type Report struct {
	Output      string           `json:"output,omitempty"`  // URL of the result
	BytesIn     int64            `json:"bytesIn,omitempty"` // input bytes as stored
	RecordsIn   int64            `json:"recordsIn,omitempty"`
	RecordsOut  int64            `json:"recordsOut,omitempty"`
	BytesOut    int64            `json:"bytesOut,omitempty"`
	Shuffled    int64            `json:"shuffled,omitempty"`   // bytes through the exchange
	ReadFrom    map[string]int64 `json:"readFrom,omitempty"`   // of what was read of it, bytes by rung: memory, local, peer, store
	CPUSeconds  float64          `json:"cpuSeconds,omitempty"` // of all executors
	Seconds     float64          `json:"seconds,omitempty"`    // wall time of the attempt
	Cores       float64          `json:"cores,omitempty"`      // cores the gang was given
	Counters    map[string]int64 `json:"counters,omitempty"`   // "group/name" → value
	DeadLetters int64            `json:"deadLetters,omitempty"`
	Preview     *Table           `json:"preview,omitempty"`
	Notes       []string         `json:"notes,omitempty"` // lines the user should read
	// Exit is the exit code of the program that the job failed with, where it is
	// one program's: mpiexec ends with it.
	Exit int `json:"exit,omitempty"`
}

// Table is a small table to show: every row has as many cells as Columns.
type Table struct {
	Title   string     `json:"title,omitempty"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

// Progress is a snapshot of a running attempt.
type Progress struct {
	Stages   []Stage          `json:"stages,omitempty"`
	Counters map[string]int64 `json:"counters,omitempty"`
	Note     string           `json:"note,omitempty"`   // one line: "rank 3 died (OOM); map 7 runs again on rank 1"
	Tables   []Table          `json:"tables,omitempty"` // what else there is to see, such as a service's copies
}

// Stage is one stage of a job's progress. Bytes are input bytes of the stage.
type Stage struct {
	Name       string `json:"name"`
	Tasks      int    `json:"tasks"`
	AtMost     bool   `json:"atMost,omitempty"` // how many tasks there are is not known yet: Tasks or fewer
	Running    int    `json:"running"`
	Done       int    `json:"done"`
	Failed     int    `json:"failed"` // failed task attempts
	BytesTotal int64  `json:"bytesTotal"`
	BytesDone  int64  `json:"bytesDone"`
	Records    int64  `json:"records"`
}
