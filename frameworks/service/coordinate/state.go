package coordinate

import (
	"encoding/json"
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/service/spec"
	"github.com/capstan-run/capstan/frameworks/service/wire"
)

// State is what a coordinator leaves to the next one. Fields without a JSON
// form are learned anew.
type State struct {
	Size     int        `json:"size"` // wanted copies
	Versions []*Version `json:"versions"`
	Target   int        `json:"target"`         // the version all copies should have
	Good     int        `json:"good,omitempty"` // the last that all copies had; 0: none yet
	Rollout  *Rollout   `json:"rollout,omitempty"`
	Slots    []*Slot    `json:"slots"` // by ordinal; never fewer, for none forgets which gangs it had
	Command  int64      `json:"command,omitempty"`
	Answer   []byte     `json:"answer,omitempty"` // what Command was answered
}

// Outcomes of a version.
const (
	rolling    = "rolling out"
	good       = "good"
	failed     = "failed"
	superseded = "superseded"
)

// Version is a spec with a number.
type Version struct {
	Number int       `json:"number"`
	Spec   core.Spec `json:"spec"`
	Since  int64     `json:"since"` // when it was deployed
	State  string    `json:"state"`
	Note   string    `json:"note,omitempty"`
	body   *spec.Body
}

// Rollout brings all copies to the target version.
type Rollout struct {
	From     int   `json:"from,omitempty"`   // the good version before; 0: none
	Back     bool  `json:"back,omitempty"`   // it is the way back from a failed one
	Canary   bool  `json:"canary,omitempty"` // only Canaries get the target version
	Canaries []int `json:"canaries,omitempty"`
	Paused   bool  `json:"paused,omitempty"`
	Progress int64 `json:"progress"` // when something last got ready
}

// Slot is the place of one copy.
type Slot struct {
	Version int     `json:"version"` // of its newest copy, or of the next one
	Next    int     `json:"next"`    // generation of the next copy
	Copies  []*Copy `json:"copies,omitempty"`
	// Node holds the slot's volumes; "" before its first copy was up.
	Node core.NodeID `json:"node,omitempty"`

	Failures int    `json:"failures,omitempty"` // in a row, for the pause; forgiven with time
	RetryAt  int64  `json:"retryAt,omitempty"`  // no new copy before
	Tries    int    `json:"tries,omitempty"`    // failures at this version before it was ready
	Last     string `json:"last,omitempty"`     // the last failure, for people
	Restarts int    `json:"restarts,omitempty"`
}

// Copy is a gang of one executor.
type Copy struct {
	Ordinal    int   `json:"ordinal"`
	Generation int   `json:"generation"`
	Version    int   `json:"version"`
	Ending     bool  `json:"ending,omitempty"`
	EndBy      int64 `json:"endBy,omitempty"`

	doubt      int64 // until then, nothing is known of a copy of an earlier coordinator
	up         bool
	heard      bool
	status     wire.Status
	asked      int64 // when the last order went out
	number     int   // the run that is wanted
	runAt      int64 // when it begins; 0: it has been ordered
	startedAt  int64 // when the present run was ordered
	readySince int64 // 0: it is not ready
	wasReady   bool
	inPlace    int
	node       core.NodeID
}

const stateVersion = 1

// Encode makes bytes for core.Host.Save.
func (s *State) Encode() ([]byte, error) {
	b, err := json.Marshal(s)
	return append([]byte{stateVersion}, b...), err
}

// DecodeState reads what Encode made.
func DecodeState(b []byte) (*State, error) {
	fault := func(err error) error {
		return &core.Error{Kind: core.Internal, What: "the saved state of the service cannot be read",
			Remedy: "cancel it and deploy it again", Err: err}
	}
	if len(b) == 0 || b[0] != stateVersion {
		return nil, fault(fmt.Errorf("unknown version"))
	}
	s := new(State)
	if err := json.Unmarshal(b[1:], s); err != nil {
		return nil, fault(err)
	}
	for _, v := range s.Versions {
		var err error
		if v.body, err = spec.Of(&v.Spec); err != nil {
			return nil, fault(err)
		}
	}
	return s, nil
}

// version is the version of a number. Every number in the state has one.
func (s *State) version(n int) *Version {
	for _, v := range s.Versions {
		if v.Number == n {
			return v
		}
	}
	panic(fmt.Sprintf("coordinate: no version %d", n))
}

// known reports whether there still is a version n.
func (s *State) known(n int) bool {
	for _, v := range s.Versions {
		if v.Number == n {
			return true
		}
	}
	return false
}
