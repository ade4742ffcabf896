package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/capstan-run/capstan/core"
)

var english = message.NewPrinter(language.English)

// check holds t against schema and tells every fault, and what would mend it.
func check(schema json.RawMessage, t *tree) ([]core.Diagnostic, []mend, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, nil, core.Errorf(core.Internal, "read schema: %v", err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("capstan:document", doc); err != nil {
		return nil, nil, core.Errorf(core.Internal, "read schema: %v", err)
	}
	s, err := c.Compile("capstan:document")
	if err != nil {
		return nil, nil, core.Errorf(core.Internal, "compile schema: %v", err)
	}
	err = s.Validate(t.value)
	if err == nil {
		return nil, nil, nil
	}
	ve, ok := err.(*jsonschema.ValidationError)
	if !ok {
		return nil, nil, core.Errorf(core.Internal, "validate: %v", err)
	}
	r := reader{tree: t, schema: doc, seen: map[string]bool{}}
	r.walk(ve)
	return r.found, r.mends, nil
}

// reader turns validation errors into diagnostics.
type reader struct {
	tree   *tree
	schema any
	found  []core.Diagnostic
	mends  []mend
	seen   map[string]bool
}

func (r *reader) walk(e *jsonschema.ValidationError) {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		// One form is what the user meant: the one whose faults lie deepest.
		if c := deepest(e.Causes); c != nil && depth(c) > len(e.InstanceLocation) {
			r.walk(c)
			return
		}
		r.leaf(e)
		return
	}
	if len(e.Causes) == 0 {
		r.leaf(e)
		return
	}
	for _, c := range e.Causes {
		r.walk(c)
	}
}

func deepest(list []*jsonschema.ValidationError) *jsonschema.ValidationError {
	var best *jsonschema.ValidationError
	for _, e := range list {
		if best == nil || depth(e) > depth(best) {
			best = e
		}
	}
	return best
}

func depth(e *jsonschema.ValidationError) int {
	d := len(e.InstanceLocation)
	for _, c := range e.Causes {
		d = max(d, depth(c))
	}
	return d
}

func (r *reader) add(d core.Diagnostic) {
	key := fmt.Sprint(d.Path, d.Line, d.Column, d.Message)
	if !r.seen[key] {
		r.seen[key] = true
		r.found = append(r.found, d)
	}
}

func (r *reader) leaf(e *jsonschema.ValidationError) {
	path := e.InstanceLocation
	m := mend{path: path}
	d := core.Diagnostic{Path: dotted(path)}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		allowed := r.properties(e.SchemaURL)
		for _, p := range k.Properties {
			u := core.Diagnostic{Path: dotted(extend(path, p)), Message: fmt.Sprintf("unknown field %q", p)}
			m := mend{path: extend(path, p), name: core.Nearest(p, allowed), unknown: true}
			r.mends = append(r.mends, m)
			if m.name != "" {
				u.Remedy = fmt.Sprintf("did you mean %q?", m.name)
			} else if len(allowed) > 0 {
				u.Remedy = "allowed: " + strings.Join(allowed, ", ")
			}
			r.tree.placeKey(&u, extend(path, p))
			r.add(u)
		}
		return
	case *kind.Required:
		r.tree.place(&d, path)
		d.Message = "missing " + quoted(k.Missing)
		for _, name := range k.Missing {
			r.mends = append(r.mends, mend{path: extend(path, name), missing: true})
		}
		r.add(d)
		return
	case *kind.Type:
		r.tree.place(&d, path)
		d.Message = fmt.Sprintf("want %s, got %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Enum:
		r.tree.place(&d, path)
		var want []string
		for _, w := range k.Want {
			want = append(want, fmt.Sprint(w))
		}
		d.Message = fmt.Sprintf("%v is not one of %s", k.Got, strings.Join(want, ", "))
		if m.value = core.Nearest(fmt.Sprint(k.Got), want); m.value != "" {
			d.Remedy = fmt.Sprintf("did you mean %q?", m.value)
		}
	case *kind.Const:
		r.tree.place(&d, path)
		d.Message = fmt.Sprintf("want %v, got %v", k.Want, k.Got)
	case *kind.Pattern:
		r.tree.place(&d, path)
		d.Message = fmt.Sprintf("%q has the wrong form", k.Got)
		if text := r.describe(e.SchemaURL); text != "" {
			d.Remedy = text
		} else {
			d.Remedy = "want " + k.Want
		}
	default:
		r.tree.place(&d, path)
		d.Message = e.ErrorKind.LocalizedString(english)
	}
	r.mends = append(r.mends, m)
	r.add(d)
}

func quoted(names []string) string {
	var q []string
	for _, n := range names {
		q = append(q, strconv.Quote(n))
	}
	return strings.Join(q, ", ")
}

// at follows a schema URL into the schema's JSON.
func (r *reader) at(url string) map[string]any {
	base, frag, _ := strings.Cut(url, "#")
	v := r.schema
	if base != "capstan:document" {
		if m, ok := v.(map[string]any); ok {
			if defs, ok := m["$defs"].(map[string]any); ok {
				v = defs["body"]
			}
		}
	}
	for _, seg := range strings.Split(strings.TrimPrefix(frag, "/"), "/") {
		if seg == "" {
			continue
		}
		seg = strings.NewReplacer("~1", "/", "~0", "~").Replace(seg)
		switch x := v.(type) {
		case map[string]any:
			v = x[seg]
		case []any:
			i, err := strconv.Atoi(seg)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		}
	}
	m, _ := v.(map[string]any)
	return m
}

func (r *reader) properties(url string) []string {
	props, _ := r.at(url)["properties"].(map[string]any)
	names := make([]string, 0, len(props))
	for p := range props {
		names = append(names, p)
	}
	sort.Strings(names)
	return names
}

func (r *reader) describe(url string) string {
	s, _ := r.at(url)["description"].(string)
	return s
}
