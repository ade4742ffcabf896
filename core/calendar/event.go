package calendar

import "github.com/capstan-run/capstan/core"

// Event is what Step is told. Times are Unix milliseconds.
type Event interface{ event() }

type (
	// Put brings a schedule, or another one of that name.
	Put struct {
		Now      int64
		Schedule Schedule
	}
	// Delete takes a schedule away. Force also takes the edges to its children.
	Delete struct {
		Now   int64
		Name  string
		Force bool
	}
	// Pause keeps a schedule from firing; its edges still arrive.
	Pause struct {
		Now  int64
		Name string
	}
	// Resume ends a pause; the times that passed are late.
	Resume struct {
		Now  int64
		Name string
	}
	// Run fires a schedule once, now, paused or not.
	Run struct {
		Now  int64
		Name string
	}
	// Tick lets time pass.
	Tick struct{ Now int64 }
	// JobEnded tells of a job of an action Submit: its final state, or Refused.
	// A job that is nobody's, or was told of before, changes nothing.
	JobEnded struct {
		Now   int64
		Job   core.JobID
		State core.State
		Why   string // a line for people; "" for success
	}
)

// Refused is the state of a job that could not be submitted.
const Refused core.State = "refused"

func (Put) event()      {}
func (Delete) event()   {}
func (Pause) event()    {}
func (Resume) event()   {}
func (Run) event()      {}
func (Tick) event()     {}
func (JobEnded) event() {}

// Action is what the surroundings are to do once the rows are written.
type Action interface{ action() }

type (
	// Submit submits Doc as the job of that id; the same again attaches.
	Submit struct {
		Schedule string
		Job      core.JobID
		Doc      []byte // JSON, not to be changed
	}
	// Cancel asks a job to end.
	Cancel struct {
		Schedule string
		Job      core.JobID
		Why      string
	}
)

func (Submit) action() {}
func (Cancel) action() {}

// Result is what a step brings about.
type Result struct {
	Actions []Action
	// Changed names the schedules whose rows are to be written, in order.
	Changed []string
	// Firing is the id of what Run fired, which may yet wait for its turn.
	Firing string
}
