// Package spec is the body of an MPI document: its form, its defaults and its
// faults.
//
// # Laws
//
//	S1  Ranks are numbered program after program, and dealt out to the executors
//	    in that order, PPN to each; only the last may have fewer.
//	S2  A body that Check finds no fault in can be run: what is missing then is
//	    missing in the executor, and the rank says so.
//
// # Left out
//
// The options of mpiexec: package mpiexec makes a document of them.
package spec

import "github.com/capstan-run/capstan/core"

// Body is the `spec:` of an MPI document.
type Body struct {
	// Command is what all ranks run; else Programs say it. A local file (./heat)
	// is shipped.
	Command []string `json:"command,omitempty"`
	// Ranks is how many run Command. Default: PPN for each executor.
	Ranks int `json:"ranks,omitempty"`
	// PPN is how many ranks an executor has. Default: as many as are needed for
	// all in gang.size executors.
	PPN int `json:"ppn,omitempty"`
	// Programs are the parts of a world whose ranks run different things.
	Programs []Program `json:"programs,omitempty"`

	// Launcher is what starts the ranks: "mpich" (default), which is Capstan itself
	// for MPICH, its relatives and native programs; or "openmpi" or "chapel", whose
	// own launchers run within the gang (package door).
	Launcher string `json:"launcher,omitempty"`

	Env     map[string]string `json:"env,omitempty"`
	Workdir string            `json:"workdir,omitempty"` // absolute; default: a folder that all ranks of a node share
	Cwd     string            `json:"cwd,omitempty"`     // in place of the default, where executors are plain processes; not shown to containers
	Files   []string          `json:"files,omitempty"`   // shipped; linked into the working directory
	Stdin   string            `json:"stdin,omitempty"`   // a shipped file or an absolute path, for rank 0; default: nothing
	Label   bool              `json:"label,omitempty"`   // each line of output begins with its rank

	// Bind is "none" (default), or "core": each rank has cores of its own, of
	// those its executor may use.
	Bind string `json:"bind,omitempty"`

	// Failure is what a lost rank brings about: "abort" (default), "restart" or
	// "continue".
	Failure string `json:"failure,omitempty"`
	// Restarts is how often the gang is started again. Default 3.
	Restarts   int        `json:"restarts,omitempty"`
	Checkpoint Checkpoint `json:"checkpoint,omitzero"`
	// FinalizeGrace is how long the last barrier may be incomplete before those
	// in it are let go. 0: for ever.
	FinalizeGrace core.Duration `json:"finalizeGrace,omitempty"`
	// Console is where a launcher listens for what ranks print.
	Console *Console `json:"console,omitempty"`
}

// Program is a part of a world.
type Program struct {
	Ranks   int               `json:"ranks"`
	Command []string          `json:"command"`
	Env     map[string]string `json:"env,omitempty"`     // beside the body's
	Workdir string            `json:"workdir,omitempty"` // default: the body's
}

// Checkpoint is what of the working directory outlives a start of the gang.
type Checkpoint struct {
	Path string `json:"path,omitempty"` // a folder, below the working directory
	// To is where it is kept, "s3://bucket/prefix"; default: with the attempt,
	// and no longer than that.
	To string `json:"to,omitempty"`
}

// Console is a unix socket on the host's machine. Nothing is said there before
// it has said the secret.
type Console struct {
	Socket string `json:"socket"`
	Secret string `json:"secret"`
}

// What a lost rank brings about.
const (
	Abort    = "abort"    // the job fails
	Restart  = "restart"  // all ranks start again
	Continue = "continue" // the others go on
)

// Parts are the programs of the world, also where there is but one.
func (b *Body) Parts() []Program {
	if len(b.Programs) > 0 {
		return b.Programs
	}
	return []Program{{Ranks: b.Ranks, Command: b.Command}}
}
