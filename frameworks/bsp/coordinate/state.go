package coordinate

import (
	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
	"github.com/capstan-run/capstan/frameworks/coordinator"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
)

// State is what a generation of the coordinator leaves to the next.
type State struct {
	Began       int64 // Unix nanoseconds: start of the attempt
	Splits      []input.Split
	Vertices    []input.Split // of a graph's list of vertices
	Incarnation int           // the last one begun; 0 before the first
	Kept        []Kept        // checkpoints that count, oldest first, at most keptAtMost
	Repairs     int           // since the job came further
	Repaired    int           // in all
	Farthest    int64         // superstep that some rank has ended
	Result      *Result
	Notes       []string // what happened out of the ordinary
}

// Kept is a checkpoint that counts.
type Kept struct {
	task.Checkpoint
	Size  int // ranks
	Bytes int64
}

// keptAtMost is how many checkpoints are kept: the last, and the one before it
// in case that the last cannot be read.
const keptAtMost = 2

// Result is all of a finished job that its commit and its report need.
type Result struct {
	Parts   []output.Part
	Columns []output.Column
	Report  core.Report
}

const stateVersion = 1

// Encode makes bytes for core.Host.Save.
func (s *State) Encode() ([]byte, error) { return coordinator.Encode(stateVersion, s) }

// DecodeState reads what Encode made.
func DecodeState(b []byte) (*State, error) {
	s := new(State)
	if err := coordinator.Decode(stateVersion, b, s); err != nil {
		return nil, err
	}
	return s, nil
}

// resume is the checkpoint to go on from, nil for the beginning.
func (s *State) resume() *task.Checkpoint {
	if len(s.Kept) == 0 {
		return nil
	}
	c := s.Kept[len(s.Kept)-1].Checkpoint
	return &c
}

func (s *State) kept() []task.Checkpoint {
	list := make([]task.Checkpoint, len(s.Kept))
	for i, k := range s.Kept {
		list[i] = k.Checkpoint
	}
	return list
}
