package topology

import (
	"maps"
	"slices"
)

// Catalog is the built-ins there are, by the name that Component.Use has.
type Catalog map[string]Builtin

// Builtin is what has to be known of a built-in before it runs.
type Builtin struct {
	Role Role
	// Outputs answers what a component c emits that reads in. Its faults have
	// paths below the component's: "with.by". It does not change c.
	Outputs func(c *Component, in []Input) ([]Output, []Fault)
}

// Input is a stream that a component reads.
type Input struct {
	From, Stream string
	Fields       []Field
	Grouping     Grouping
}

// Fault is what is wrong with a component, or a warning.
type Fault struct {
	Path, Message, Remedy string
	Warning               bool
}

// Names lists the built-ins of a role, in order.
func (c Catalog) Names(role Role) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if c[name].Role == role {
			list = append(list, name)
		}
	}
	return list
}
