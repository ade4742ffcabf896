package spec

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Form is what a document that is no job has to look like.
type Form struct {
	What   string          // what the document is: "the queues"
	Schema json.RawMessage // JSON Schema 2020-12
	Remedy string          // for whoever got it wrong: where to look it up
	// More finds faults that the schema lets pass, and is asked even if the
	// schema found some: doc may be anything. Their paths are dotted. Optional.
	More func(doc json.RawMessage) []core.Diagnostic
}

// Conform reads a document, within the bounds of law S2, and answers it as JSON.
// Its faults come all at once, as Parse tells those of a job.
func Conform(doc []byte, source string, f Form) (json.RawMessage, error) {
	if len(doc) > MaxBytes {
		return nil, core.Errorf(core.Invalid, "%s take %d bytes; the limit is %d (1 MiB)", f.What, len(doc), MaxBytes).At(source)
	}
	t, bad := read(doc)
	if bad != nil {
		return nil, f.refuse(source, []core.Diagnostic{*bad})
	}
	diags, _, err := check(f.Schema, t)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(t.value)
	if err != nil {
		return nil, core.Errorf(core.Invalid, "%v", err).At(source)
	}
	if f.More != nil {
		diags = append(diags, t.beside(diags, f.More(b))...)
	}
	if len(diags) > 0 {
		return nil, f.refuse(source, diags)
	}
	return b, nil
}

// beside gives more faults their places, and leaves out those of a value that has
// one already.
func (t *tree) beside(known, more []core.Diagnostic) []core.Diagnostic {
	told := map[string]bool{}
	for _, d := range known {
		told[d.Path] = true
	}
	var out []core.Diagnostic
	for _, d := range more {
		if d.Path != "" && told[d.Path] {
			continue
		}
		t.place(&d, strings.Split(d.Path, "."))
		out = append(out, d)
	}
	return out
}

func (f *Form) refuse(source string, diags []core.Diagnostic) error {
	inOrder(diags)
	return &core.Error{Kind: core.Invalid, What: fmt.Sprintf("%s have %s", f.What, faults(len(diags))), Where: source, Diagnostics: diags, Remedy: f.Remedy}
}
