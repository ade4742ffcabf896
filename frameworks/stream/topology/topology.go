package topology

import (
	"encoding/json"
	"time"
)

// Topology is a topology as it was written. [Bind] checks it.
type Topology struct {
	Name      string
	Guarantee Guarantee
	// Epoch is how often state and output are committed; default 1s.
	Epoch time.Duration
	// Timeout is Storm's topology.message.timeout.secs. As yet nothing goes by it.
	Timeout time.Duration
	// Pending is how many tuples of a source that tracks them may be on their
	// way; 0: bounded by credit alone.
	Pending int
	// Groups is into how many groups the keys of all state fall: a power of two,
	// at most 32768, and for ever the same; default 128.
	Groups int
	// Config is handed to processes as Storm's conf.
	Config     map[string]any
	Components []Component
	Edges      []Edge
}

// Guarantee is how often a tuple takes effect.
type Guarantee string

const (
	AtMostOnce  Guarantee = "atMostOnce"
	AtLeastOnce Guarantee = "atLeastOnce"
	ExactlyOnce Guarantee = "exactlyOnce" // the default
)

// Role is a component's place in the flow.
type Role string

const (
	Source   Role = "source"   // reads nothing of the topology
	Operator Role = "operator" // reads, and may emit
	Sink     Role = "sink"     // reads, and emits nothing
)

// Component is a part of a topology: exactly one of Use and Exec.
type Component struct {
	ID   string
	Role Role
	// Use names a built-in, With is what it is told.
	Use  string
	With json.RawMessage
	// Exec is a process that speaks Storm's multilang protocol.
	Exec []string
	Env  map[string]string
	// Tasks is how many tasks it has; default 1. Parallelism is how many threads
	// Storm would give them, kept for processes that ask; default Tasks.
	Tasks       int
	Parallelism int
	Config      map[string]any // over Topology.Config
	// Outputs are the streams that a process emits. Those of a built-in are its
	// own to say.
	Outputs []Output
	OnError OnError
	// Unread marks one of which it was told already that it cannot be read: no
	// more fault is found with it, or with those that read it.
	Unread bool
	At     string // where it stands in the document: "bolts.1"
}

// DefaultStream is the one that is meant where none is named.
const DefaultStream = "default"

// Output is a stream of a component.
type Output struct {
	Stream string
	Fields []Field
	Direct bool // who emits names the task that receives
}

// Field is a column of a stream.
type Field struct {
	Name string
	Type Type
}

// OnError is what becomes of a tuple that a component cannot work on.
type OnError struct {
	// Policy is "fail" (the default: the topology goes back to its last epoch) or
	// "retry" (it is given the tuple again).
	Policy string
	Tries  int // of retry, in all; then it fails. Default 3
}

// Edge is that one component reads a stream of another.
type Edge struct {
	From, Stream, To string
	Grouping         Grouping
	At               string
}

// Grouping is which task of the reader gets a tuple.
type Grouping struct {
	Kind   GroupingKind
	Fields []string // of Fields and PartialKey
}

// GroupingKind is a way of dealing out tuples.
type GroupingKind string

const (
	Shuffle        GroupingKind = "shuffle"        // any task; evenly
	ByFields       GroupingKind = "fields"         // equal fields, one task
	PartialKey     GroupingKind = "partialKey"     // equal fields, one of two tasks
	All            GroupingKind = "all"            // every task
	Global         GroupingKind = "global"         // the first task
	Direct         GroupingKind = "direct"         // the task that who emits names
	LocalOrShuffle GroupingKind = "localOrShuffle" // a task of this process, if there is one
	None           GroupingKind = "none"           // as shuffle
)

// Groupings lists all of them.
func Groupings() []string {
	return []string{string(Shuffle), string(ByFields), string(PartialKey), string(All), string(Global), string(Direct),
		string(LocalOrShuffle), string(None)}
}

// Component is the one with an id; nil if there is none.
func (t *Topology) Component(id string) *Component {
	for i := range t.Components {
		if t.Components[i].ID == id {
			return &t.Components[i]
		}
	}
	return nil
}

// Output is the component's stream of that name; nil if it has none.
func (c *Component) Output(stream string) *Output {
	for i := range c.Outputs {
		if c.Outputs[i].Stream == stream {
			return &c.Outputs[i]
		}
	}
	return nil
}

// Into lists the edges that end at a component, in the order of the document.
func (t *Topology) Into(id string) []Edge {
	var in []Edge
	for _, e := range t.Edges {
		if e.To == id {
			in = append(in, e)
		}
	}
	return in
}

// Fill sets what was left out to its default.
func (t *Topology) Fill() {
	orElse(&t.Guarantee, ExactlyOnce)
	orElse(&t.Epoch, time.Second)
	orElse(&t.Timeout, 30*time.Second)
	orElse(&t.Groups, 128)
	for i := range t.Components {
		c := &t.Components[i]
		orElse(&c.Tasks, max(c.Parallelism, 1))
		orElse(&c.Parallelism, c.Tasks)
		orElse(&c.OnError.Policy, "fail")
		orElse(&c.OnError.Tries, 3)
	}
	for i := range t.Edges {
		orElse(&t.Edges[i].Stream, DefaultStream)
		orElse(&t.Edges[i].Grouping.Kind, Shuffle)
	}
}

func orElse[T comparable](v *T, def T) {
	if *v == *new(T) {
		*v = def
	}
}
