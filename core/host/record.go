package host

import (
	"encoding/json"
	"time"

	"github.com/capstan-run/capstan/core"
)

// record is what the journal keeps of a job beside its events: enough to adopt
// it after a restart. It is the job's Save under epoch 0.
type record struct {
	Job        core.Job              `json:"job"`
	Plan       core.Plan             `json:"plan"`
	SpecHash   string                `json:"specHash"`
	Generation int64                 `json:"generation"` // of the current attempt's coordinator
	Crashes    int                   `json:"crashes"`    // of the coordinator, in this attempt
	Gangs      map[string]*gangState `json:"gangs"`      // by name, of the current attempt
	// Arrays is what became of the elements of arrays, by the gang's name, in the
	// current attempt.
	Arrays map[string]*elements `json:"arrays,omitempty"`
	// Volumes are those the job has had: they are its own until it ends, also
	// while no gang has them.
	Volumes []string `json:"volumes,omitempty"`
	// GaveWay is how many attempts ended because others took their place.
	GaveWay int `json:"gaveWay,omitempty"`
	// Swept says that nothing of the job is left outside the journal.
	Swept bool `json:"swept"`
	// Lease is the last one granted to the job: executors' names hold it, so it
	// must not come again.
	Lease  uint64     `json:"lease,omitempty"`
	Cancel *cancelled `json:"cancel,omitempty"`
	// Heir is the job that tries this one again.
	Heir core.JobID `json:"heir,omitempty"`
	// Commands are those the job has not answered, in order, and LastCommand the
	// number of the last that was given.
	Commands    []core.Command `json:"commands,omitempty"`
	LastCommand int64          `json:"lastCommand,omitempty"`
	// Former is what the job was before it was given another spec: it may be
	// told to go back.
	Former []former `json:"former,omitempty"`
}

// maxFormer is how many former specs a job may go back to.
const maxFormer = 12

type former struct {
	Plan core.Plan `json:"plan"`
	Spec core.Spec `json:"spec"`
}

// cancelled is why a job was asked to end, for the host that comes after.
type cancelled struct {
	Kind   core.ErrKind `json:"kind"`
	What   string       `json:"what"`
	Remedy string       `json:"remedy,omitempty"`
}

func (c *cancelled) err() *core.Error {
	return &core.Error{Kind: c.Kind, What: c.What, Remedy: c.Remedy}
}

// gangState is a gang as the journal keeps it.
type gangState struct {
	Ask     core.GangAsk  `json:"ask"`
	Lease   uint64        `json:"lease"` // 0 while it waits
	Dir     string        `json:"dir"`   // its shared directory
	Up      bool          `json:"up"`
	Members []memberState `json:"members"` // by rank
	Fenced  []string      `json:"fenced,omitempty"`
}

type memberState struct {
	ID   string      `json:"id"`
	Node core.NodeID `json:"node"`
	Role int         `json:"role,omitempty"` // an index into the ask's roles
	Lost bool        `json:"lost,omitempty"`
}

// seat notes who has m's rank now. The role is the rank's.
func (s *gangState) seat(m *member) {
	s.Members[m.rank] = memberState{ID: m.id, Node: m.node, Role: s.Members[m.rank].Role}
}

// roles is the role of each rank; nil of a gang without roles.
func (s *gangState) roles() []int {
	if len(s.Ask.Roles) == 0 {
		return nil
	}
	out := make([]int, len(s.Members))
	for r, ms := range s.Members {
		out[r] = ms.Role
	}
	return out
}

func (r *record) encode() []byte {
	b, err := json.Marshal(r)
	if err != nil {
		panic("host: record does not marshal: " + err.Error())
	}
	return b
}

// now is the host's clock; decisions get its value, never the clock itself.
func now() time.Time { return time.Now().UTC() }
