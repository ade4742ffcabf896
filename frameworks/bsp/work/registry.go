package work

import (
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// Make is what a program is made of.
type Make struct {
	Body *spec.Body
	// Vertices are the splits of spec.graph.vertices: all of them, on each rank.
	Vertices []input.Split
	// Store reads s3:// inputs.
	Store input.Store
	// Files is the directory of the files that were shipped with the job.
	Files string
}

// Factory makes the program of a rank. It is called in every executor, and again
// where a job begins anew.
type Factory func(Make) (peer.Program, error)

// Registry is the functions of a program, by the name that a document uses.
type Registry map[string]Factory
