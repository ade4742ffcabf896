package spec

import (
	"slices"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Checker finds the faults of a spec that its schema lets pass. Their paths
// point into the document. It may be given a spec of which parts are missing that
// the schema requires.
type Checker func(*core.Spec) []core.Diagnostic

// mend is what takes a fault of the schema out of a document.
type mend struct {
	path []string // of the value at fault, or of what is missing
	// name and value are what the user meant instead, if that can be told: a slip
	// of the hand in a field's name, or in one of a few words.
	name, value string
	missing     bool // there is nothing to mend
	unknown     bool // the schema has no such field
}

// rounds bounds how often what a mend brings to light is mended in turn.
const rounds = 4

// meant is a document as its user probably meant it: slips of the hand are
// corrected, and what else the schema refuses is left out.
type meant struct {
	value any
	done  []mend
}

// mended makes of t a document that satisfies the schema but for what is
// missing; ok is false where too little of it would be left.
func (t *tree) mended(schema []byte, mends []mend) (m meant, ok bool) {
	m.value = clone(t.value)
	for range rounds {
		for _, d := range mends {
			if len(d.path) == 0 || len(d.path) == 1 && d.path[0] == "spec" {
				return m, false
			}
			m.mend(d)
		}
		var err error
		if _, mends, err = check(schema, &tree{value: m.value}); err != nil {
			return m, false
		}
		if !slices.ContainsFunc(mends, func(d mend) bool { return !d.missing }) {
			return m, true
		}
	}
	return m, false
}

func (m *meant) mend(d mend) {
	m.done = append(m.done, d)
	last := d.path[len(d.path)-1]
	switch around := at(m.value, d.path[:len(d.path)-1]).(type) {
	case map[string]any:
		v, there := around[last]
		_, taken := around[d.name]
		switch {
		case !there:
		case d.value != "":
			around[last] = d.value
		case d.name != "" && !taken:
			delete(around, last)
			around[d.name] = v
		default:
			delete(around, last)
		}
	case []any: // the others keep their places
		if i, err := strconv.Atoi(last); err == nil && i < len(around) {
			around[i] = nil
			if d.value != "" {
				around[i] = d.value
			}
		}
	}
}

// follows reports whether a fault at path may be there for a mend alone: it is
// of what was left out, or of something that misses it.
func (m *meant) follows(path []string) bool {
	for _, d := range m.done {
		switch {
		case d.unknown: // nothing can miss it
		case d.missing && at(m.value, d.path) != nil: // under another name
		case within(path, d.path):
			return true
		case within(d.path, path) && d.value == "":
			return true
		}
	}
	return false
}

// written is a path as the document has it.
func (m *meant) written(path []string) []string {
	for _, d := range slices.Backward(m.done) {
		if d.name == "" {
			continue
		}
		if n := len(d.path); within(path, extend(d.path[:n-1], d.name)) {
			path = append(slices.Clone(d.path), path[n:]...)
		}
	}
	return path
}

// senses are the faults that check finds in a document beside those of its
// schema.
func (t *tree) senses(source string, schema []byte, mends []mend, check Checker) []core.Diagnostic {
	m, ok := t.mended(schema, mends)
	if !ok {
		return nil
	}
	s, err := decode(&tree{value: m.value, root: t.root}, source)
	if err != nil {
		return nil
	}
	var found []core.Diagnostic
	for _, d := range check(s) {
		path := strings.Split(d.Path, ".")
		if d.Warning || m.follows(path) {
			continue
		}
		path = m.written(path)
		d.Path = dotted(path)
		t.place(&d, path)
		found = append(found, d)
	}
	return found
}

// within reports whether path is that of around, or of something in it.
func within(path, around []string) bool {
	return len(path) >= len(around) && slices.Equal(path[:len(around)], around)
}

// at is the value at a path of a JSON value, nil if there is none.
func at(v any, path []string) any {
	for _, name := range path {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func clone(v any) any {
	switch x := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(x))
		for k, e := range x {
			m[k] = clone(e)
		}
		return m
	case []any:
		list := make([]any, len(x))
		for i, e := range x {
			list[i] = clone(e)
		}
		return list
	}
	return v
}
