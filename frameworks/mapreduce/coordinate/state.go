package coordinate

import (
	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/coordinator"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
)

// State is what a generation of the coordinator leaves to the next.
type State struct {
	Began      int64 // Unix nanoseconds: start of the attempt
	Splits     []input.Split
	Partitions int      // of the shuffle, each a part of the result; 0 in a map-only job
	Sampled    bool     // Bounds are final
	Bounds     [][]byte // upper key bounds of partitions, for range
	Planned    bool     // Reads are final
	// Reads are what reduce tasks read, in order of partitions. From and To are
	// numbers of map tasks; the shares of a divided partition are merged first.
	Reads  []shuffle.Share
	Result *Result // set when every task is done
	// Done are the tasks that were done when the gang last gave way and that need
	// no executor to be read.
	Done  []task.Done
	Notes []string // what happened out of the ordinary
}

// Result is all of a finished job that its commit and its report need.
type Result struct {
	Parts  []output.Part
	Report core.Report
}

const stateVersion = 2

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
