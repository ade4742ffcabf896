package flux

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/spec"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

//go:embed schema.json
var schema []byte

// Options are what a file is read with.
type Options struct {
	// Source is the file's name, for people.
	Source string
	// Filter has the values of ${name}. Env has those of ${ENV-NAME}; nil: the
	// environment is not to be seen.
	Filter map[string]string
	Env    func(name string) (string, bool)
	// Include reads a file that another one includes, by the name given there.
	// Nil: none may be included.
	Include func(name string) ([]byte, error)
	// Catalog has the built-ins that classes may stand for.
	Catalog topology.Catalog
}

// Read reads a Flux file. The topology is bound and the diagnostics are
// warnings; what refuses the file is an *core.Error of kind Invalid with all its
// faults (law F2).
func Read(doc []byte, o Options) (*topology.Topology, []core.Diagnostic, error) {
	text, warnings := substitute(doc, o)
	r := &reader{options: o}
	form := spec.Form{What: "the topology's lines", Schema: schema, More: r.faults,
		Remedy: "Flux is described at https://storm.apache.org/releases/current/flux.html"}
	if _, err := spec.Conform(text, o.Source, form); err != nil {
		core.AsError(err).What = strings.Replace(core.AsError(err).What, "the topology's lines have", "the topology has", 1)
		return nil, warnings, err
	}
	spec.Locate(text, r.warnings)
	return r.topology, append(warnings, r.warnings...), nil
}

// reader makes a topology of a document that satisfies the schema.
type reader struct {
	options  Options
	files    map[string]included // by where they are included
	topology *topology.Topology
	found    []core.Diagnostic
	warnings []core.Diagnostic
}

// faults builds the topology and answers with what is wrong with it. A document
// against the schema is not looked at: that was told.
func (r *reader) faults(doc json.RawMessage) []core.Diagnostic {
	r.files = map[string]included{}
	d := new(document)
	if json.Unmarshal(doc, d) != nil {
		return nil
	}
	d.place("")
	r.include(d)
	r.build(d)
	var faults []core.Diagnostic
	for _, f := range append(r.found, topology.Bind(r.topology, r.options.Catalog)...) {
		f = r.inFile(f)
		if f.Warning {
			r.warnings = append(r.warnings, f)
		} else {
			faults = append(faults, f)
		}
	}
	return slices.CompactFunc(faults, func(a, b core.Diagnostic) bool { return a == b })
}

func (r *reader) fault(at, message, remedy string) {
	r.found = append(r.found, core.Diagnostic{Path: at, Message: message, Remedy: remedy})
}

// inFile says of a diagnostic in an included file where in that it is.
func (r *reader) inFile(d core.Diagnostic) core.Diagnostic {
	at, inner, ok := strings.Cut(d.Path, "!")
	if !ok {
		return d
	}
	there := []core.Diagnostic{{Path: inner, Message: d.Message}}
	f := r.files[at]
	spec.Locate(f.text, there)
	d.Path, d.Message = at, f.name+" "+there[0].String()
	return d
}
