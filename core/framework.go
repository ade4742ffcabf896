package core

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"
)

// ErrPluginCrash is in the chain of what a plugin call returns when the
// plugin's process died or hung, as against answering with an error.
var ErrPluginCrash = errors.New("plugin crashed")

// Framework is what a plugin serves: the one interface between the host and
// whoever understands a kind of job. Describe and Plan are called in a plugin
// process shared by all jobs of the kind; Run in a process of its own for each
// attempt; Work in every executor.
type Framework interface {
	// Describe is pure and quick.
	Describe() Description

	// Plan answers what job would need. It has no effect, though it may look
	// at the input's size. A fault of the spec is an *Error of kind Invalid
	// with Diagnostics whose paths point into the document ("spec.input.path").
	Plan(ctx context.Context, job *Job) (*Plan, error)

	// Run coordinates one attempt and returns when it ended: nil if the result
	// is committed. ctx ends when the attempt was fenced; a user's cancel
	// arrives as an event first. Run may be called again for the same attempt
	// after a crash, with Attempt.Saved set (law C4). A coordinator saves before
	// it commits: one that was ended without an answer is run once more, with
	// what it saved and CancelAsked as its first event, and answers nil if the
	// result is committed.
	Run(ctx context.Context, a *Attempt, host Host) (Report, error)

	// Work is the worker's side: it runs in every executor, until ctx ends or
	// the coordinator releases the gang. An error or a panic loses the executor.
	Work(ctx context.Context, env *Env) error
}

// Description is what a framework says of itself.
type Description struct {
	Kind    string          `json:"kind"` // "MapReduce"
	Version string          `json:"version"`
	Schema  json.RawMessage `json:"schema"`  // JSON Schema 2020-12 of the spec's body
	Example string          `json:"example"` // a commented YAML document for `capstan init`
	Summary string          `json:"summary"` // one line
	// Ships lists the places in the spec's body that may name a local file to
	// ship with the job: dotted, * for each element ("map.program",
	// "map.exec.0", "files.*!"). Where such a string holds a slash and names a
	// regular file of the submitter's, the client uploads it and puts
	// "artifact:<sha256>/<base name>" in its place. At a place that ends in ! it
	// needs no slash, and has to name such a file.
	Ships []string `json:"ships,omitempty"`
	// LongRunning jobs end only when they are cancelled.
	LongRunning bool `json:"longRunning,omitempty"`
	// Commands are the verbs that a running job of the kind takes.
	Commands []string `json:"commands,omitempty"`
}

// Plan is what a job would need.
type Plan struct {
	Gangs       []GangAsk    `json:"gangs"`
	Stages      []PlanStage  `json:"stages,omitempty"`
	Diagnostics []Diagnostic `json:"diagnostics,omitempty"` // warnings only
}

// PlanStage is a stage of a plan with its predicted input.
type PlanStage struct {
	Name   string `json:"name"`
	Tasks  int    `json:"tasks"`
	AtMost bool   `json:"atMost,omitempty"` // there may be fewer tasks
	Bytes  int64  `json:"bytes"`
}

// GangAsk is a gang a framework wants.
type GangAsk struct {
	Name string `json:"name"` // within the job: "main"
	Gang        // size, resources, placement, image
	// Array makes it a gang for each index, as [ParseArray] reads it. Each comes
	// up as a gang of its own, called [ElementName], when its turn comes; the
	// coordinator ends it with Host.EndGang.
	Array string `json:"array,omitempty"`
	// Program is the binary that is each executor's init and worker: "" for
	// the framework's own (the plugin's binary), else the SHA-256 of an
	// artifact submitted with the job.
	Program string `json:"program,omitempty"`
	// Files are artifacts placed in each executor under Env.Files, read-only.
	Files []File `json:"files,omitempty"`
	// ReadOnly lists absolute host paths that executors see under the same
	// path, read-only. A launcher on another machine refuses what is not there.
	ReadOnly []string `json:"readOnly,omitempty"`
	// Userland asks for the machine's own /usr, /bin, /lib when Image is "".
	Userland bool `json:"userland,omitempty"`
	// Together has the gang's executors on one machine share memory segments and
	// see each other's processes, as those of one program do.
	Together bool `json:"together,omitempty"`
	// Store lists the S3 prefixes ("bucket/key/") the executors may use beside
	// the job's own.
	Store []StoreGrant `json:"store,omitempty"`
	// Optional gangs may come to nothing: GangRefused tells, where without it
	// the attempt would end.
	Optional bool `json:"optional,omitempty"`
	// Names are what the gang's executors are called in the network that all
	// gangs of the job with Names share. It needs Network.
	Names []string `json:"names,omitempty"`
	// Volumes are directories that outlive the gang and the job.
	Volumes []Volume `json:"volumes,omitempty"`
}

// Volume is a directory of the host's that keeps its content for whoever has it
// next, until somebody removes it. One job at a time has it, until it ends.
type Volume struct {
	Name string `json:"name"` // [a-z0-9.-], within the host: "web.data.0"
	Path string `json:"path"` // absolute; where executors in containers see it
	// Env names the environment variable that holds where it lies.
	Env string `json:"env,omitempty"`
}

// File is an artifact and its name in the executor.
type File struct {
	Name   string `json:"name"` // base name; no separators
	SHA256 string `json:"sha256"`
	Mode   uint32 `json:"mode"` // 0444 or 0555
}

// StoreGrant lets the executors use one prefix of the store.
type StoreGrant struct {
	Prefix string `json:"prefix"` // "bucket/" or "bucket/key/prefix"
	Write  bool   `json:"write,omitempty"`
}

// Attempt is what a coordinator is told at its start.
type Attempt struct {
	Job        *Job
	Epoch      Epoch
	Generation int64       // of the coordinator within the attempt, from 1
	Saved      []byte      // what the last generation saved; nil at first
	Store      StoreAccess // the coordinator's own access, limited to the job
	Scratch    string      // a private directory on the host, emptied at the end
	Log        *slog.Logger
}

// Host is a coordinator's view of the host. Its methods may be called from
// any goroutine.
type Host interface {
	// Events delivers what happens to the attempt, in order. It is closed when
	// the attempt is over. The receiver must keep up: events are buffered
	// without bound only for as long as the gang's size bounds them.
	Events() <-chan Event
	// WantGang asks for a gang; GangUp answers. Asking for a gang that is
	// already up (after a restart) answers with GangUp{Resumed: true}.
	WantGang(GangAsk) error
	// ReleaseGang ends the gang's executors. Running work is lost. Releasing
	// what is not there is no error: a coordinator that came back may repeat itself.
	// An element of an array waits again.
	ReleaseGang(name string) error
	// EndGang is ReleaseGang for a gang whose work is done, and says whether it
	// went well: an element of an array has then ended, and who waits for it
	// ([Dependency]) is told.
	EndGang(name string, ok bool) error
	// Send queues msg for a rank's worker; in order per rank. Messages to a
	// lost rank vanish: also when the loss, or the replacement, is among the
	// events that the caller has not taken yet. The host owns msg afterwards.
	Send(gang string, rank int, msg []byte) error
	// Report replaces the attempt's progress. Cheap; call it as often as twice a second.
	Report(Progress)
	// Save makes state durable and returns when it is: the next generation
	// gets it as Attempt.Saved.
	Save(ctx context.Context, state []byte) error
	// Answer ends a Command. One whose number is not known has been answered.
	Answer(Answer) error
}

// Relay is what a [Host] implements for whoever passes its events on to a
// coordinator in another process.
type Relay interface {
	Host
	// SendAfter is Send by a coordinator that had taken so many of the events:
	// its message is for the executors it had heard of by then.
	SendAfter(events int64, gang string, rank int, msg []byte) error
}

// Event is what happens to an attempt: one of the types below.
type Event interface{ event() }

// GangUp says that every executor of a gang has joined and its worker runs.
type GangUp struct {
	Gang    string
	Size    int
	Nodes   []NodeID // by rank
	Resumed bool     // it was up before this coordinator's generation
	Lost    []int    // ranks lost meanwhile, when Resumed
}

// Message is a worker's message. The receiver owns Data.
type Message struct {
	Gang string
	Rank int
	Data []byte
}

// ExecutorLost says that a rank is gone and fenced; it will not come back
// under this number unless Replaced follows.
type ExecutorLost struct {
	Gang   string
	Rank   int
	Reason string // "killed by signal 9 (137)", "out of memory", "no heartbeat for 8s"
}

// ExecutorReplaced says that a new, empty executor took a lost rank's place; or,
// if Rank is the size the gang had until now, that an elastic gang has grown by
// one.
type ExecutorReplaced struct {
	Gang string
	Rank int
}

// GangRefused says that an optional gang will not come up, and why. It is gone:
// asking for it again tries again. Of an array it says that some elements will
// not; the others go on.
type GangRefused struct {
	Gang     string
	Err      *Error
	Elements []ArrayRange // by their indexes; nil without an array
}

// CancelAsked says that a user cancelled the job: end soon and return.
type CancelAsked struct{ Reason string }

// GiveWay says that a gang's place is wanted by another: at Until its
// executors are taken away and it waits again. What its work needs to go on
// from there has to be kept by then; the coordinator may end it earlier with
// Host.ReleaseGang and want it again.
type GiveWay struct {
	Gang   string
	Until  time.Time
	Reason string // "job train-7k2 of a higher priority needs its place"
	// Final says that it does not wait again: an element of an array whose
	// walltime is over.
	Final bool
}

// Shrink says that an elastic gang will lose some of its ranks, the last ones: at
// Until their executors are taken away, and the gang goes on without. Each loss
// is told by ExecutorLost when it happens; the ranks come back if the gang grows.
type Shrink struct {
	Gang   string
	Ranks  []int
	Until  time.Time
	Reason string
}

// Stay takes GiveWay back before its time came: a drain was undone, or another
// deadline given to it, of which a GiveWay that follows tells. A gang that was
// released meanwhile is not meant any more.
type Stay struct{ Gang string }

func (GangUp) event()           {}
func (Message) event()          {}
func (ExecutorLost) event()     {}
func (ExecutorReplaced) event() {}
func (GangRefused) event()      {}
func (CancelAsked) event()      {}
func (GiveWay) event()          {}
func (Shrink) event()           {}
func (Stay) event()             {}

// StoreAccess is how to reach the object store, and as whom.
type StoreAccess struct {
	// Endpoint is "unix:///path/to/socket" or "http(s)://host:port".
	Endpoint  string `json:"endpoint"`
	Region    string `json:"region"`
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
	// Prefix is the attempt's own place, "capstan/jobs/<id>/<epoch>/": bucket,
	// slash, key prefix. What is under it is deleted when the job ends.
	Prefix string `json:"prefix"`
	// Root, when set, is a directory where the store's objects can be read
	// as plain files <Root>/<bucket>/<key>. Executors in containers have none.
	Root string `json:"root,omitempty"`
	// Socket, when set, is the path of a unix socket that leads to the same
	// store. Requests with a body go by it where it answers: it costs about
	// half of what loopback does. Executors in containers have none.
	Socket string `json:"socket,omitempty"`
}

// Env is a worker's surroundings.
type Env struct {
	Rank    Rank
	Size    int
	Spec    Spec
	CPU     MilliCPU
	Memory  Bytes  // the executor's limit; stay below
	Shared  string // directory all ranks of the gang on this host share; on disk
	Shm     string // such a directory in shared memory, which counts as Memory; "": there is none
	Scratch string // private directory of this executor
	Files   string // directory of GangAsk.Files
	Store   StoreAccess
	Log     *slog.Logger // goes to the job's log under this rank

	// Inbox delivers the coordinator's messages in order. Closed at the end.
	Inbox <-chan []byte
	// Send queues a message for the coordinator, in order. It blocks while the
	// queue (1 MiB) is full. Messages to an older generation of the
	// coordinator vanish (law C4).
	Send func(ctx context.Context, msg []byte) error
}
