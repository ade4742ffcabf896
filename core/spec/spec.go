// Package spec reads and checks submitted documents.
//
// # Model
//
//	bytes ─→ YAML node tree ─→ JSON value + positions ─→ schema ─→ core.Spec
//
// A document is YAML or JSON (which is YAML), and is held against one JSON
// Schema: the envelope with the kind's own schema under `spec`.
//
// # Laws
//
//	S1  All faults of a document are told at once, with line and column.
//	S2  Reading is bounded: 1 MiB of text, 64 levels, 100,000 values; 1 MiB and
//	    100,000 values also after aliases are followed.
//	S3  An unknown field is a fault, wherever it stands.
//	    What only a framework can find is told with what the schema refuses: the
//	    framework is asked about the document as it was meant, with slips of the
//	    hand corrected and what is wrong left out. It may miss a fault next to what
//	    was left out; it tells of none that is there for that alone.
//	S4  Two documents that mean the same have the same Hash.
package spec

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
)

// MaxBytes is the largest document Parse reads.
const MaxBytes = 1 << 20

//go:embed envelope.json
var envelope []byte

// Parse reads a document and checks it against the envelope and its kind's
// schema, and fills in the defaults. Faults come all at once, as a *core.Error
// of kind Invalid with Diagnostics. source names the document in messages.
func Parse(doc []byte, source string, kinds []core.Description) (*core.Spec, error) {
	return ParseChecked(doc, source, kinds, nil)
}

// ParseChecked is Parse, and has check find the faults that the schema lets
// pass. All come at once. check may be nil.
func ParseChecked(doc []byte, source string, kinds []core.Description, check Checker) (*core.Spec, error) {
	if len(doc) > MaxBytes {
		return nil, core.Errorf(core.Invalid, "the document has %d bytes; the limit is %d (1 MiB)", len(doc), MaxBytes).
			At(source).Do("put data into files or the store and name it in the spec")
	}
	t, err := read(doc)
	if err != nil {
		return nil, refuse(source, []core.Diagnostic{*err})
	}
	diags, serr := t.faults(source, kinds, check)
	if serr != nil {
		return nil, serr
	}
	if len(diags) > 0 {
		return nil, refuse(source, diags)
	}
	return decode(t, source)
}

// faults are all faults of a document.
func (t *tree) faults(source string, kinds []core.Description, check Checker) ([]core.Diagnostic, error) {
	diags, mends, schema, err := t.check(kinds)
	if err == nil && check != nil {
		diags = append(diags, t.senses(source, schema, mends, check)...)
	}
	return diags, err
}

// check holds t against the envelope and its kind's schema.
func (t *tree) check(kinds []core.Description) (diags []core.Diagnostic, mends []mend, schema json.RawMessage, err error) {
	kind, diags := kindOf(t, kinds)
	if schema, err = Schema(kind); err != nil {
		return nil, nil, nil, err
	}
	found, mends, err := check(schema, t)
	return append(diags, found...), mends, schema, err
}

func refuse(source string, diags []core.Diagnostic) error {
	inOrder(diags)
	return &core.Error{Kind: core.Invalid, What: "the spec has " + faults(len(diags)), Where: source, Diagnostics: diags,
		Remedy: "`capstan schema KIND` and `capstan init KIND` show what is allowed"}
}

// inOrder sorts faults by where they stand.
func inOrder(diags []core.Diagnostic) {
	sort.SliceStable(diags, func(i, j int) bool {
		a, b := diags[i], diags[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
}

func faults(n int) string {
	if n == 1 {
		return "1 fault"
	}
	return fmt.Sprintf("%d faults", n)
}

// kindOf finds the description of the document's kind.
func kindOf(t *tree, kinds []core.Description) (*core.Description, []core.Diagnostic) {
	m, _ := t.value.(map[string]any)
	name, ok := m["kind"].(string)
	if !ok {
		return nil, nil // the envelope's schema says so
	}
	var names []string
	for i := range kinds {
		if kinds[i].Kind == name {
			return &kinds[i], nil
		}
		names = append(names, kinds[i].Kind)
	}
	d := core.Diagnostic{Path: "kind", Message: fmt.Sprintf("no framework serves kind %q; there are: %s", name, strings.Join(names, ", "))}
	if s := core.Nearest(name, names); s != "" {
		d.Remedy = fmt.Sprintf("did you mean %q?", s)
	}
	if name == scheduleKind {
		d.Message, d.Remedy = "a schedule is no job", "`capstan schedule put` takes it; what it runs is the document under spec.job"
	}
	t.place(&d, []string{"kind"})
	return nil, []core.Diagnostic{d}
}

// decode turns a checked value into a Spec with its defaults.
func decode(t *tree, source string) (*core.Spec, error) {
	b, err := json.Marshal(t.value)
	if err != nil {
		return nil, core.Errorf(core.Invalid, "%v", err).At(source)
	}
	s := new(core.Spec)
	if err := json.Unmarshal(b, s); err != nil {
		return nil, core.Errorf(core.Invalid, "%v", err).At(source)
	}
	fill(s)
	// 0 is a priority of its own: the lowest.
	if _, given := t.find([]string{"metadata", "priority"}); !given {
		s.Metadata.Priority = 50
	}
	return s, nil
}

func fill(s *core.Spec) {
	if s.Metadata.Queue == "" {
		s.Metadata.Queue = "default"
	}
	if s.Gang.Size == 0 {
		s.Gang.Size = 2
	}
	if s.Gang.CPU == 0 {
		s.Gang.CPU = 1000
	}
	if s.Gang.Memory == 0 {
		s.Gang.Memory = 512 << 20
	}
	if s.Gang.StartTimeout == 0 {
		s.Gang.StartTimeout = core.Duration(time.Minute)
	}
}

// Hash is the same for two specs that mean the same: it is taken of the
// decoded form, with defaults, keys sorted.
func Hash(s *core.Spec) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("spec: does not marshal: " + err.Error())
	}
	var v any
	if json.Unmarshal(b, &v) == nil {
		b, _ = json.Marshal(v) // maps marshal with sorted keys
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

var nameForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// CheckName accepts an id: lower-case letters, digits and inner dashes, at most
// 63 bytes.
func CheckName(name string) error {
	if len(name) > 63 || !nameForm.MatchString(name) {
		return fmt.Errorf("want lower-case letters, digits and dashes, at most 63")
	}
	return nil
}

// Schema is the JSON Schema of a whole document of the kind; of the envelope
// alone when kind is nil.
func Schema(kind *core.Description) (json.RawMessage, error) {
	if kind == nil || len(kind.Schema) == 0 {
		return envelope, nil
	}
	var doc map[string]any
	if err := json.Unmarshal(envelope, &doc); err != nil {
		return nil, err
	}
	var body any
	if err := json.Unmarshal(kind.Schema, &body); err != nil {
		return nil, core.Errorf(core.Internal, "the schema of kind %s is no JSON: %v", kind.Kind, err)
	}
	if m, ok := body.(map[string]any); ok {
		m["$id"] = "capstan:" + kind.Kind
	}
	props := doc["properties"].(map[string]any)
	props["spec"] = map[string]any{"$ref": "capstan:" + kind.Kind}
	props["kind"] = map[string]any{"const": kind.Kind, "description": kind.Summary}
	doc["$defs"].(map[string]any)["body"] = body
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(doc)
	return b.Bytes(), err
}
