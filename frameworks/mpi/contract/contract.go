// Package contract is what a rank of kind MPI finds in its environment, whatever
// its program was built with.
//
// # Model
//
// A rank is a child process of its executor's worker. It has the environment of
// the process management interface (package pmi),
//
//	PMI_FD=3 PMI_RANK=r PMI_SIZE=n        one end of a socket, and its place
//	PMI_SPAWNED=1                         in a world that another has spawned
//
// what MPICH's own launcher sets beside it (MPI_LOCALRANKID, MPI_LOCALNRANKS),
// OMP_NUM_THREADS, which is what its share of the cores allows, and [Name]: an
// [Env] as one line of JSON. A program of another library needs none of that
// last one; a native rank finds in it where its mesh, its memory and the store are.
//
// # Laws
//
//	E1  World names one start of one world for ever: no two have the same one, and
//	    all ranks of it have the same.
//	E2  Ranks of a world with equal Node share Dir and, if it is not "", Shm.
//	E3  What is "" or 0 is not there: a rank gets on without it.
package contract

import (
	"encoding/json"
	"os"

	"github.com/capstan-run/capstan/core"
)

// Name is the variable that holds an [Env].
const Name = "CAPSTAN_MPI"

// Version is that of Env's form.
const Version = 1

// Env is a rank's surroundings.
type Env struct {
	V       int    `json:"v"` // Version
	Job     string `json:"job"`
	Attempt int64  `json:"attempt"`
	Gang    string `json:"gang"`
	World   string `json:"world"` // law E1; also the name of the space of keys

	Rank   int    `json:"rank"`
	Size   int    `json:"size"`
	Local  int    `json:"local"`  // number among the ranks of its node
	Locals int    `json:"locals"` // ranks on its node
	Node   string `json:"node"`   // law E2

	Dir     string `json:"dir"`     // there, and private to the world's ranks on this node
	Shm     string `json:"shm"`     // such a directory in shared memory
	Address string `json:"address"` // where ranks on other nodes reach this one
	Cert    string `json:"cert"`    // PEM files for the mesh's links to other nodes
	Key     string `json:"key"`
	CA      string `json:"ca"`

	CPU    core.MilliCPU `json:"cpu"`    // the rank's share of its executor
	Memory core.Bytes    `json:"memory"` // likewise
	Arena  core.Bytes    `json:"arena"`  // of that, for messages on their way in shared memory

	Scratch string           `json:"scratch"` // private to the rank, empty at first
	State   string           `json:"state"`   // a file in which the rank says what it waits for
	Store   core.StoreAccess `json:"store"`
	Door    string           `json:"door"` // socket at which a command can be run on another executor
}

// FromEnviron is the calling process's, if it is a rank of kind MPI.
func FromEnviron() (*Env, bool) {
	e := new(Env)
	if json.Unmarshal([]byte(os.Getenv(Name)), e) != nil || e.V != Version || e.World == "" {
		return nil, false
	}
	return e, true
}

// String is e as [Name] has it.
func (e *Env) String() string {
	b, err := json.Marshal(e)
	if err != nil {
		return "" // strings and numbers do marshal
	}
	return string(b)
}
