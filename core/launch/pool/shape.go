package pool

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
)

// Shape is what interchangeable executors have in common. Two shapes are the
// same if all fields are, nil and empty alike and ReadOnly in any order.
type Shape struct {
	Node     core.NodeID
	Image    string
	Userland bool
	Network  bool
	Together bool // those of one set are: see launch.Executor.Together
	CPU      core.MilliCPU
	Memory   core.Bytes
	PIDs     int64
	Binary   string
	Files    map[string]string // as launch.Executor.Files
	ReadOnly []string
}

// key is the shape's canonical form.
func (s Shape) key() string {
	s.ReadOnly = slices.Compact(slices.Sorted(slices.Values(s.ReadOnly)))
	if len(s.ReadOnly) == 0 {
		s.ReadOnly = nil
	}
	if len(s.Files) == 0 {
		s.Files = nil
	}
	b, err := json.Marshal(s) // maps are written in order
	if err != nil {
		panic(fmt.Sprintf("a shape does not marshal: %v", err)) // strings and numbers do
	}
	return string(b)
}

func (s Shape) clone() Shape {
	s.Files = maps.Clone(s.Files)
	s.ReadOnly = slices.Clone(s.ReadOnly)
	return s
}

// Set is executors with one shared directory.
type Set struct {
	Dir       string // Executor.Shared of each
	Executors []launch.Executor
}

func (s Set) ids() []string {
	ids := make([]string, len(s.Executors))
	for i := range s.Executors {
		ids[i] = s.Executors[i].ID
	}
	return ids
}
