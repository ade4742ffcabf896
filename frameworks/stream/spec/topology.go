package spec

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

//go:embed schema.json
var schema []byte

//go:embed example.yaml
var example string

// Schema is the JSON Schema (2020-12) of a [Body]. The caller owns the copy.
func Schema() json.RawMessage { return bytes.Clone(schema) }

// Example is a commented document.
func Example() string { return example }

// Topology makes the topology of a document, bound to the built-ins of c, and
// answers with all that is wrong with it.
func Topology(s *core.Spec, c topology.Catalog) (*topology.Topology, []core.Diagnostic) {
	b, err := Parse(s.Body)
	if err != nil {
		return nil, []core.Diagnostic{{Path: "spec", Message: err.Error()}}
	}
	w := &writer{t: &topology.Topology{
		Name: s.Metadata.Name, Guarantee: topology.Guarantee(b.Guarantee), Epoch: time.Duration(b.Epoch),
		Groups: b.Groups, Config: b.Config,
	}}
	w.components("sources", topology.Source, b.Sources)
	w.components("operators", topology.Operator, b.Operators)
	w.components("sinks", topology.Sink, b.Sinks)
	return w.t, append(w.found, beneath(topology.Bind(w.t, c))...)
}

// beneath gives the paths of what belongs to no component their place.
func beneath(list []core.Diagnostic) []core.Diagnostic {
	for i := range list {
		switch d := &list[i]; d.Path {
		case "":
			d.Path = "spec"
		case "guarantee":
			d.Path = "spec.guarantee"
		case "groups":
			d.Path = "spec.keyGroups"
		}
	}
	return list
}

// writer makes components and edges.
type writer struct {
	t     *topology.Topology
	found []core.Diagnostic
}

func (w *writer) components(list string, role topology.Role, components []Component) {
	for i, c := range components {
		at := fmt.Sprintf("spec.%s.%d", list, i)
		w.t.Components = append(w.t.Components, topology.Component{
			ID: c.ID, Role: role, Use: c.Use, With: c.With, Exec: c.Exec, Env: c.Env, Tasks: c.Tasks, Config: c.Config,
			Outputs: w.outputs(at, c), OnError: topology.OnError(c.OnError), At: at,
		})
		for n, in := range c.From {
			e := topology.Edge{From: in.ID, Stream: in.Stream, To: c.ID, At: at + ".from"}
			if len(c.From) > 1 {
				e.At = fmt.Sprintf("%s.from.%d", at, n)
			}
			e.Grouping = topology.Grouping{Kind: topology.GroupingKind(in.Grouping), Fields: in.By}
			if in.Grouping == "" && len(in.By) > 0 {
				e.Grouping.Kind = topology.ByFields
			}
			w.t.Edges = append(w.t.Edges, e)
		}
	}
}

// outputs are the streams of a process, by name; a built-in's are its own.
func (w *writer) outputs(at string, c Component) []topology.Output {
	fault := func(where, message, remedy string) {
		w.found = append(w.found, core.Diagnostic{Path: at + "." + where, Message: message, Remedy: remedy})
	}
	if c.Use != "" && (len(c.Fields) > 0 || len(c.Streams) > 0) {
		fault("use", fmt.Sprintf("built-in %q says itself what it emits", c.Use), "leave out fields and streams")
		return nil
	}
	declared := maps.Clone(c.Streams)
	if c.Fields != nil {
		if declared == nil {
			declared = map[string][]string{}
		}
		declared[topology.DefaultStream] = c.Fields
	}
	var outputs []topology.Output
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		fields, err := topology.ParseFields(declared[name])
		if err != nil {
			fault("streams", fmt.Sprintf("stream %q: %v", name, err), `write "name" or "name:type"`)
		}
		outputs = append(outputs, topology.Output{Stream: name, Fields: fields, Direct: slices.Contains(c.Direct, name)})
	}
	for _, name := range c.Direct {
		if declared[name] == nil {
			fault("direct", fmt.Sprintf("there is no stream %q", name), "declare its fields under streams")
		}
	}
	return outputs
}
