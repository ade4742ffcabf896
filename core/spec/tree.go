package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/capstan-run/capstan/core"
)

const (
	maxDepth  = 64
	maxValues = 100_000
)

// tree is a document as a JSON value, and where each value stands.
type tree struct {
	value any
	root  position
	count int // values
	bytes int // of keys and scalars, as often as aliases repeat them
}

// position is where a value begins, and its key, both 1-based, and the
// positions of what is in it.
type position struct {
	line, column       int
	keyLine, keyColumn int
	in                 map[string]*position // by key, or index in decimal
}

// child makes the position of what name names in p.
func (p *position) child(name string) *position {
	if p.in == nil {
		p.in = map[string]*position{}
	}
	c := new(position)
	p.in[name] = c
	return c
}

var yamlLine = regexp.MustCompile(`line (\d+)(?:,? column (\d+))?`)

// read parses one YAML document within the bounds of law S2.
func read(doc []byte) (*tree, *core.Diagnostic) {
	dec := yaml.NewDecoder(bytes.NewReader(doc))
	var root yaml.Node
	if err := dec.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &core.Diagnostic{Message: "the document is empty"}
		}
		return nil, syntaxFault(err)
	}
	var second yaml.Node
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, syntaxFault(err)
		}
		return nil, &core.Diagnostic{Line: second.Line, Column: second.Column, Message: "a second document begins here; one file holds one job"}
	}
	t := new(tree)
	v, fault := t.convert(&root, &t.root, nil, 0)
	if fault != nil {
		return nil, fault
	}
	t.value = v
	return t, nil
}

func syntaxFault(err error) *core.Diagnostic {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	d := &core.Diagnostic{Message: text}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		d.Message = strings.TrimPrefix(text, m[0]+": ") // the diagnostic says the place itself
		d.Line, _ = strconv.Atoi(m[1])
		if d.Column, _ = strconv.Atoi(m[2]); d.Column == 0 {
			d.Column = 1
		}
	}
	return d
}

func fault(n *yaml.Node, path []string, format string, args ...any) *core.Diagnostic {
	return &core.Diagnostic{Path: dotted(path), Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)}
}

// convert makes a JSON value of n, and notes at where it stands. Aliases are
// followed, and counted.
func (t *tree) convert(n *yaml.Node, at *position, path []string, depth int) (any, *core.Diagnostic) {
	if depth > maxDepth {
		return nil, fault(n, path, "nested more than %d levels deep", maxDepth)
	}
	if t.count++; t.count > maxValues {
		return nil, fault(n, nil, "more than %d values once aliases are followed", maxValues)
	}
	if at.line == 0 {
		at.line, at.column = n.Line, n.Column
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) != 1 {
			return nil, fault(n, path, "the document is empty")
		}
		return t.convert(n.Content[0], at, path, depth)
	case yaml.AliasNode:
		return t.convert(n.Alias, at, path, depth+1)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for i, c := range n.Content {
			name := strconv.Itoa(i)
			v, f := t.convert(c, at.child(name), extend(path, name), depth+1)
			if f != nil {
				return nil, f
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		return t.mapping(n, at, path, depth)
	}
	if f := t.text(n); f != nil {
		return nil, f
	}
	return scalar(n, path)
}

// text counts the bytes of a key or scalar. Without aliases they are at most
// the document's; with them, a long one could be repeated beyond all memory.
func (t *tree) text(n *yaml.Node) *core.Diagnostic {
	if t.bytes += len(n.Value); t.bytes > MaxBytes {
		return fault(n, nil, "more than %d bytes once aliases are followed", MaxBytes)
	}
	return nil
}

func (t *tree) mapping(n *yaml.Node, at *position, path []string, depth int) (any, *core.Diagnostic) {
	m := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			return nil, fault(k, path, "a key must be a plain word")
		}
		if _, dup := m[k.Value]; dup {
			return nil, fault(k, extend(path, k.Value), "field %q is given twice", k.Value)
		}
		if f := t.text(k); f != nil {
			return nil, f
		}
		c := at.child(k.Value)
		c.line, c.column, c.keyLine, c.keyColumn = v.Line, v.Column, k.Line, k.Column
		val, f := t.convert(v, c, extend(path, k.Value), depth+1)
		if f != nil {
			return nil, f
		}
		m[k.Value] = val
	}
	return m, nil
}

// scalar reads a plain value. Times and binary stay text.
func scalar(n *yaml.Node, path []string) (any, *core.Diagnostic) {
	switch n.Tag {
	case "!!null", "!!bool", "!!int", "!!float":
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, fault(n, path, "%v", err)
		}
		switch x := v.(type) {
		case int:
			return float64(x), nil
		case int64:
			return float64(x), nil
		case uint64:
			return float64(x), nil
		case float64:
			if x != x || x > 1e300 || x < -1e300 {
				return nil, fault(n, path, "%s is no number a spec can hold", n.Value)
			}
			return x, nil
		}
		return v, nil
	case "!!str", "!!timestamp", "":
		return n.Value, nil
	}
	return nil, fault(n, path, "tag %s is not allowed", n.Tag)
}

func extend(path []string, seg string) []string {
	return append(path[:len(path):len(path)], seg)
}

// dotted is a path for people: "spec.input.path".
func dotted(path []string) string { return strings.Join(path, ".") }

// place fills in where path stands, or the nearest thing around it.
func (t *tree) place(d *core.Diagnostic, path []string) {
	p, _ := t.find(path)
	d.Line, d.Column = p.line, p.column
}

// find is the position of path, or of the nearest thing around it and false.
func (t *tree) find(path []string) (*position, bool) {
	p := &t.root
	for _, name := range path {
		c := p.in[name]
		if c == nil {
			return p, false
		}
		p = c
	}
	return p, true
}

// placeKey is place, but of the key.
func (t *tree) placeKey(d *core.Diagnostic, path []string) {
	if p, ok := t.find(path); ok && p.keyLine > 0 {
		d.Line, d.Column = p.keyLine, p.keyColumn
		return
	}
	t.place(d, path)
}

// Locate fills in where the diagnostics of doc that have a path but no line
// stand: those that a framework found in the decoded spec.
func Locate(doc []byte, diags []core.Diagnostic) {
	t, fault := read(doc)
	if fault != nil {
		return
	}
	for i := range diags {
		if diags[i].Line == 0 && diags[i].Path != "" {
			t.place(&diags[i], strings.Split(diags[i].Path, "."))
		}
	}
}
