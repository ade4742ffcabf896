package coordinate

import (
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/coordinator"
	"github.com/capstan-run/capstan/frameworks/mpi/pmi"
	"github.com/capstan-run/capstan/frameworks/mpi/task"
)

// State is what a generation leaves to the next: what no worker can tell.
type State struct {
	Restarts int
	Lost     int64   // ranks, in all
	Worlds   []World // that were spawned and are not over
}

// World is a world that a rank has spawned.
type World struct {
	Ask      core.GangAsk
	PPN      int
	Programs []task.Program
	Put      []pmi.Pair
	Asker    Asker
}

// Asker is who waits for a world.
type Asker struct {
	Gang          string
	Executor      int
	Run, Question int
}

const stateVersion = 1

// Encode is coordinator.State's.
func (s *State) Encode() ([]byte, error) { return coordinator.Encode(stateVersion, s) }

// DecodeState reads what Encode made; nil is the first generation's.
func DecodeState(b []byte) (State, error) {
	var s State
	if b == nil {
		return s, nil
	}
	err := coordinator.Decode(stateVersion, b, &s)
	return s, err
}

func (s *State) clone() State {
	c := *s
	c.Worlds = slices.Clone(s.Worlds)
	return c
}
