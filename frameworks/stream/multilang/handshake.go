package multilang

import (
	"bytes"
	"encoding/json"
	"maps"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/frameworks/stream/operator"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// handshake is the first message to a process.
type handshake struct {
	Conf    map[string]any `json:"conf"`
	PidDir  string         `json:"pidDir"`
	Context taskContext    `json:"context"`
}

// taskContext is what a process is told of the topology.
type taskContext struct {
	Tasks     map[string]string                `json:"task->component"`
	TaskID    int                              `json:"taskid"`
	Component string                           `json:"componentid"`
	Streams   []string                         `json:"streams"`
	Outputs   map[string][]string              `json:"stream->outputfields"`
	Targets   map[string]map[string]groupingOf `json:"stream->target->grouping"`
	Sources   map[string]map[string]groupingOf `json:"source->stream->grouping"`
	Fields    map[string]map[string][]string   `json:"source->stream->fields"`
}

// groupingOf is a grouping in Storm's words.
type groupingOf struct {
	Type   string   `json:"type"`
	Fields []string `json:"fields,omitempty"`
}

func grouping(g topology.Grouping) groupingOf {
	switch g.Kind {
	case topology.ByFields:
		return groupingOf{Type: "FIELDS", Fields: g.Fields}
	case topology.PartialKey:
		return groupingOf{Type: "CUSTOM_OBJECT"}
	case topology.LocalOrShuffle:
		return groupingOf{Type: "LOCAL_OR_SHUFFLE"}
	}
	return groupingOf{Type: strings.ToUpper(string(g.Kind))}
}

// config is the topology's with the component's over it.
func config(m operator.Make) map[string]any {
	conf := map[string]any{}
	maps.Copy(conf, m.Topology.Config)
	maps.Copy(conf, m.Task.Component.Config)
	if _, ok := conf["topology.name"]; !ok {
		conf["topology.name"] = m.Topology.Name
	}
	return conf
}

// hello is the handshake of a task.
func hello(m operator.Make, pidDir string) []byte {
	t, c := m.Topology, m.Task.Component
	h := handshake{Conf: config(m), PidDir: pidDir, Context: taskContext{
		Tasks: map[string]string{}, TaskID: m.Task.ID, Component: c.ID, Streams: []string{}, Outputs: map[string][]string{},
		Targets: map[string]map[string]groupingOf{}, Sources: map[string]map[string]groupingOf{}, Fields: map[string]map[string][]string{},
	}}
	for _, task := range t.Tasks() {
		h.Context.Tasks[strconv.Itoa(task.ID)] = task.Component.ID
	}
	for _, o := range c.Outputs {
		h.Context.Streams = append(h.Context.Streams, o.Stream)
		h.Context.Outputs[o.Stream] = topology.Names(o.Fields)
		h.Context.Targets[o.Stream] = map[string]groupingOf{}
	}
	for _, e := range t.Edges {
		if e.From == c.ID {
			h.Context.Targets[e.Stream][e.To] = grouping(e.Grouping)
		}
	}
	for _, in := range m.In {
		put(h.Context.Sources, in.From, in.Stream, grouping(in.Grouping))
		put(h.Context.Fields, in.From, in.Stream, topology.Names(in.Fields))
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(h); err != nil {
		panic(err) // conf came from JSON, and the rest is text
	}
	return framed(bytes.TrimRight(b.Bytes(), "\n"))
}

func put[V any](m map[string]map[string]V, a, b string, v V) {
	if m[a] == nil {
		m[a] = map[string]V{}
	}
	m[a][b] = v
}
