package spec

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
)

// Body is what stands under `spec:`.
type Body struct {
	Guarantee string        `json:"guarantee,omitempty"` // default exactlyOnce
	Epoch     core.Duration `json:"epoch,omitempty"`     // default 1s
	Groups    int           `json:"keyGroups,omitempty"` // default 128
	// State is the s3:// folder of the topology's epochs; it is the topology's own.
	State  string         `json:"state,omitempty"`
	Config map[string]any `json:"config,omitempty"` // what processes are told as conf
	// Files are shipped: processes run in the folder where they are.
	Files     []string    `json:"files,omitempty"`
	Sources   []Component `json:"sources"`
	Operators []Component `json:"operators,omitempty"`
	Sinks     []Component `json:"sinks,omitempty"`
}

// Component is a source, an operator or a sink: exactly one of Use and Exec.
type Component struct {
	ID   string            `json:"id"`
	Use  string            `json:"use,omitempty"`
	With json.RawMessage   `json:"with,omitempty"`
	Exec []string          `json:"exec,omitempty"`
	Env  map[string]string `json:"env,omitempty"`
	// Fields are those of a process's default stream, "name" or "name:type";
	// Streams those of its others, Direct the names of the direct ones.
	Fields  []string            `json:"fields,omitempty"`
	Streams map[string][]string `json:"streams,omitempty"`
	Direct  []string            `json:"direct,omitempty"`
	Tasks   int                 `json:"tasks,omitempty"` // default 1
	From    Inputs              `json:"from,omitempty"`
	OnError OnError             `json:"onError,omitzero"`
	Config  map[string]any      `json:"config,omitempty"`
}

// Input is a stream that a component reads.
type Input struct {
	ID       string   `json:"id"`
	Stream   string   `json:"stream,omitempty"`   // default "default"
	Grouping string   `json:"grouping,omitempty"` // default fields where By is given, else shuffle
	By       []string `json:"by,omitempty"`
}

// Inputs is one input or a list of them; an id alone is an input.
type Inputs []Input

func (in *Inputs) UnmarshalJSON(b []byte) error {
	var list []json.RawMessage
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] != '[' {
		list = []json.RawMessage{b}
	} else if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*in = make(Inputs, len(list))
	for i, one := range list {
		if err := (*in)[i].read(one); err != nil {
			return err
		}
	}
	return nil
}

func (in *Input) read(b json.RawMessage) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &in.ID)
	}
	type plain Input
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode((*plain)(in))
}

// OnError is what becomes of a tuple that cannot be worked on: a policy's name,
// or with the number of tries.
type OnError struct {
	Policy string `json:"policy"`
	Tries  int    `json:"tries,omitempty"`
}

func (o *OnError) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &o.Policy)
	}
	type plain OnError
	return json.Unmarshal(b, (*plain)(o))
}

// Ships lists the places in a body that may name a local file to ship with the
// job, in the form of core.Description.Ships.
func Ships() []string {
	return []string{"sources.*.exec.0", "operators.*.exec.0", "sinks.*.exec.0", "files.*!"}
}

// Shipped lists the artifacts of the body.
func (b *Body) Shipped() artifact.List {
	var l artifact.List
	for i, c := range b.Sources {
		l.AddCommand(fmt.Sprintf("sources.%d.exec", i), c.Exec)
	}
	for i, c := range b.Operators {
		l.AddCommand(fmt.Sprintf("operators.%d.exec", i), c.Exec)
	}
	for i, c := range b.Sinks {
		l.AddCommand(fmt.Sprintf("sinks.%d.exec", i), c.Exec)
	}
	l.AddFiles("files", b.Files)
	return l
}

// Parse reads a body. An unknown field or a wrong type is a *core.Error of kind
// Invalid.
func Parse(body json.RawMessage) (*Body, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	b := new(Body)
	if err := d.Decode(b); err != nil {
		return nil, &core.Error{Kind: core.Invalid, What: "the spec is not a Stream body",
			Where: "spec", Remedy: "compare it with its JSON Schema", Err: fmt.Errorf("read it: %w", err)}
	}
	return b, nil
}
