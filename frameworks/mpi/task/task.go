// Package task is what a coordinator of MPI jobs and its workers say to each
// other.
//
//	coordinator                        worker
//	   │ Query ─────────────────────────→ │  of each new coordinator: what is here?
//	   │ ←──────── Retold, Holds{…}       │  the answer
//	   │ Begin{Run, …} ─────────────────→ │  starts its ranks of a world
//	   │ ←──────── Fence{Run, N, Put}     │  all of them are in the Nth barrier
//	   │ Fenced{Run, N, All} ───────────→ │  and those of all executors
//	   │ ←──────────── Ask{Run, ID, …}    │  a rank publishes, looks up, spawns
//	   │ Answer{Run, ID, …} ────────────→ │
//	   │ ←──────────── Ended{Run, Rank}   │  a rank has ended, however
//	   │ ←──────────── State{Run, …}      │  what its ranks are doing
//	   │ ←──────────── Output{Run, Rank}  │  and Taken; Want, and Input: the console
//	   │ Stop{Run, Grace} ──────────────→ │  ends its ranks; Ended answers for each
//
// # Laws
//
//	T1  A run is one start of a world, with a number that no other start in the
//	    job has. Whoever has begun run n takes nothing of an earlier one.
//	T2  What was not answered is said again to a coordinator that asks: Holds
//	    has all that is needed to go on from there.
//
// Messages are JSON: they are few and small, one pair for each barrier.
package task

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
	"github.com/capstan-run/capstan/frameworks/mpi/waits"
)

// Down is a coordinator's message: one of its fields is set.
type Down struct {
	Query  bool    `json:"query,omitempty"`
	Begin  *Begin  `json:"begin,omitempty"`
	Fenced *Fenced `json:"fenced,omitempty"`
	Answer *Answer `json:"answer,omitempty"`
	Stop   *Stop   `json:"stop,omitempty"`
	Dead   *Dead   `json:"dead,omitempty"`
	Taken  *Taken  `json:"taken,omitempty"`
	Input  *Input  `json:"input,omitempty"`
}

// Begin starts the ranks of an executor. It is the same for all of a world.
type Begin struct {
	Run      int        `json:"run"`
	World    string     `json:"world"` // law E1 of package contract
	PPN      int        `json:"ppn"`
	Programs []Program  `json:"programs"`
	Nodes    []int      `json:"nodes"` // of each executor, numbered from 0: who shares memory
	Universe int        `json:"universe,omitempty"`
	Put      []pmi.Pair `json:"put,omitempty"` // in the space from the beginning
	Spawned  bool       `json:"spawned,omitempty"`
}

// Program is a part of a world.
type Program struct {
	Ranks   int               `json:"ranks"`
	Command []string          `json:"command"`
	Env     map[string]string `json:"env,omitempty"`
	Workdir string            `json:"workdir,omitempty"`
}

// Size is the number of the world's ranks.
func (b *Begin) Size() int {
	n := 0
	for _, p := range b.Programs {
		n += p.Ranks
	}
	return n
}

// Fenced lets the ranks out of their Nth barrier, with what all ranks have put
// before it.
type Fenced struct {
	Run int        `json:"run"`
	N   int        `json:"n"`
	All []pmi.Pair `json:"all,omitempty"`
}

// Answer is what became of an Ask.
type Answer struct {
	Run   int         `json:"run"`
	ID    int         `json:"id"`
	Port  string      `json:"port,omitempty"`  // that was looked up
	Known bool        `json:"known,omitempty"` // pmi.ErrKnownName
	None  bool        `json:"none,omitempty"`  // pmi.ErrUnknownName
	Err   *core.Error `json:"err,omitempty"`
}

// Stop ends the ranks of a run: they are told to terminate and killed Grace
// later; at once if it is 0. Without such a run it does nothing.
type Stop struct {
	Run   int           `json:"run"`
	Grace time.Duration `json:"grace,omitempty"`
}

// Dead are the ranks of a run that are lost, of which the others are told.
type Dead struct {
	Run   int   `json:"run"`
	Ranks []int `json:"ranks"`
}

// Up is a worker's message: one of its fields is set.
type Up struct {
	Holds *Holds `json:"holds,omitempty"`
	Fence *Fence `json:"fence,omitempty"`
	Ask   *Ask   `json:"ask,omitempty"`
	Ended *Ended `json:"ended,omitempty"`
	State *State `json:"state,omitempty"`

	Output *Output `json:"output,omitempty"`
	Want   *Want   `json:"want,omitempty"`
	// Retold answers a Query before Holds: what was not taken follows, in order, and
	// then what is new. What came before it, of a new coordinator, has a gap.
	Retold bool `json:"retold,omitempty"`
}

// Holds is what a worker has.
type Holds struct {
	Node      string     `json:"node"`          // the same for all executors that share memory
	Run       int        `json:"run,omitempty"` // the last that it began; 0: none
	Ended     []Ended    `json:"ended,omitempty"`
	Fence     *Fence     `json:"fence,omitempty"`  // that its ranks wait in
	Passed    *Fenced    `json:"passed,omitempty"` // that they went through last
	Asks      []Ask      `json:"asks,omitempty"`   // that were not answered
	Published []pmi.Pair `json:"published,omitempty"`
}

// Fence is what the ranks of an executor have put before their Nth barrier.
type Fence struct {
	Run int        `json:"run"`
	N   int        `json:"n"`
	Put []pmi.Pair `json:"put,omitempty"`
}

// The verbs of an Ask.
const (
	Publish   = "publish"
	Unpublish = "unpublish"
	Lookup    = "lookup"
	SpawnVerb = "spawn"
)

// Ask is what a rank wants of the job.
type Ask struct {
	Run   int        `json:"run"`
	ID    int        `json:"id"` // of the worker, from 1 on for each run
	Verb  string     `json:"verb"`
	Name  string     `json:"name,omitempty"`
	Port  string     `json:"port,omitempty"`
	Spawn *pmi.Spawn `json:"spawn,omitempty"`
}

// Ended is the end of a rank.
type Ended struct {
	Run       int           `json:"run"`
	Rank      int           `json:"rank"`
	Code      int           `json:"code"`             // exit code; 128 + Signal if it was killed
	Signal    int           `json:"signal,omitempty"` // that killed it; 0: none
	Started   bool          `json:"started,omitempty"`
	Finalized bool          `json:"finalized,omitempty"`
	Aborted   bool          `json:"aborted,omitempty"` // it wants the whole world ended, with Code
	Stopped   bool          `json:"stopped,omitempty"` // it ended after a Stop
	Wall      time.Duration `json:"wall,omitempty"`
	CPU       time.Duration `json:"cpu,omitempty"`
	MaxRSS    core.Bytes    `json:"maxRSS,omitempty"`
	Tail      string        `json:"tail,omitempty"`  // the last lines of its output
	Fault     *core.Error   `json:"fault,omitempty"` // it was not run at all, or spoke nonsense
}

// Lost reports whether the rank left its world without finishing with MPI.
func (e *Ended) Lost() bool {
	return e.Fault != nil || e.Aborted || !e.Finalized && (e.Started || e.Code != 0)
}

// Output is what a rank printed, for the console: it is kept until it is Taken.
type Output struct {
	Run  int    `json:"run"`
	Rank int    `json:"rank"`
	Err  bool   `json:"err,omitempty"` // stderr
	At   int64  `json:"at"`            // place of the first byte in the stream
	Data []byte `json:"data"`
}

// Taken says that a stream is written up to a place.
type Taken struct {
	Run  int   `json:"run"`
	Rank int   `json:"rank"`
	Err  bool  `json:"err,omitempty"`
	To   int64 `json:"to"`
}

// Want asks for what rank 0 is to read, from a place on.
type Want struct {
	Run int   `json:"run"`
	At  int64 `json:"at"`
}

// Input is what rank 0 is to read; of no bytes: there is no more.
type Input struct {
	Run  int    `json:"run"`
	At   int64  `json:"at"`
	Data []byte `json:"data"`
}

// State is what the ranks of an executor are doing.
type State struct {
	Run   int    `json:"run"`
	Ranks []Look `json:"ranks"`
}

// Look is one rank.
type Look struct {
	Rank  int           `json:"rank"`
	CPU   time.Duration `json:"cpu"`
	Phase string        `json:"phase"`          // starting, running, barrier, finalized
	Last  string        `json:"last,omitempty"` // line of output
	Wait  *waits.Wait   `json:"wait,omitempty"` // of a native one; nil: it waits for nobody
}

// maxMessage is more than any honest message of a worker has.
const maxMessage = 16 << 20

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
