package work

import (
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/spec"
)

// Factory makes the program of a rank for a document. It is called in every
// executor, and again where a job begins anew.
type Factory func(body *spec.Body) (peer.Program, error)

// Registry is the functions of a program, by the name that a document uses.
type Registry map[string]Factory
