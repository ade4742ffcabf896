package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/capstan-run/capstan/core"
)

func compile(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("bsp.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("bsp.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// node is a JSON Schema object as a test sees it.
type node map[string]any

func (n node) object(key string) node {
	m, _ := n[key].(map[string]any)
	return m
}

func schemaNode(t *testing.T) node {
	var root node
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// TestSchemaHasTheFieldsOfBody holds schema and Go type together, both ways.
func TestSchemaHasTheFieldsOfBody(t *testing.T) {
	root := schemaNode(t)
	compare(t, root, root, reflect.TypeFor[Body](), "spec")
}

func compare(t *testing.T, root, at node, typ reflect.Type, path string) {
	if ref, ok := at["$ref"].(string); ok {
		at = root.object("$defs").object(strings.TrimPrefix(ref, "#/$defs/"))
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return
	}
	if at["additionalProperties"] != false {
		t.Errorf("%s: additionalProperties is not false", path)
	}
	properties := at.object("properties")
	var fields []string
	for f := range typ.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, name)
		p := properties.object(name)
		if p == nil {
			t.Errorf("%s.%s is not in the schema", path, name)
			continue
		}
		if !described(root, p) {
			t.Errorf("%s.%s has no description", path, name)
		}
		compare(t, root, p, f.Type, path+"."+name)
	}
	for name := range properties {
		if !slices.Contains(fields, name) {
			t.Errorf("%s.%s is in the schema but not in Go", path, name)
		}
	}
}

func described(root, p node) bool {
	if ref, ok := p["$ref"].(string); ok && p["description"] == nil {
		p = root.object("$defs").object(strings.TrimPrefix(ref, "#/$defs/"))
	}
	d, _ := p["description"].(string)
	return d != ""
}

// TestDefaultsOfSchemaAndParse holds the defaults in the schema to what Parse
// fills in.
func TestDefaultsOfSchemaAndParse(t *testing.T) {
	root := schemaNode(t)
	b, err := Parse(json.RawMessage(`{"input":{"path":"file:///in"},"graph":{},"algorithm":{"use":"x"},"output":{"path":"file:///out"},"preview":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	filled := map[string]any{"input": b.Input, "graph": b.Graph, "checkpoint": b.Checkpoint, "output": b.Output, "preview": b.Preview}
	for def, v := range filled {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]any{}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		for name, p := range root.object("$defs").object(def).object("properties") {
			want, ok := node(p.(map[string]any))["default"]
			if !ok || want == false || def == "graph" && slices.Contains([]string{"source", "target", "weight"}, name) {
				continue // left out of JSON since it is zero; or filled in by package graph
			}
			if fmt.Sprint(got[name]) != fmt.Sprint(want) {
				t.Errorf("%s.%s: schema says %v, Parse fills in %v", def, name, want, got[name])
			}
		}
	}
	if b.Repairs != DefaultRepairs || root.object("properties").object("repairs")["default"] != float64(DefaultRepairs) {
		t.Errorf("repairs: %d", b.Repairs)
	}
}

// TestCheckpointDefaults: a period where nothing is said, no period where every is.
func TestCheckpointDefaults(t *testing.T) {
	for doc, want := range map[string]string{
		`{}`: "0 30s true", `{"every": 5}`: "5 0s true", `{"every": 5, "period": "1m"}`: "5 1m0s true",
		`{"every": 0}`: "0 0s false", `{"period": "0s"}`: "0 0s false", `{"period": "5s"}`: "0 5s true",
	} {
		b, err := Parse(json.RawMessage(`{"algorithm":{"use":"x"},"output":{"path":"file:///out"},"checkpoint":` + doc + `}`))
		if err != nil {
			t.Fatal(err)
		}
		c := b.Checkpoint
		if got := fmt.Sprint(*c.Every, " ", *c.Period, " ", c.Wanted()); got != want {
			t.Errorf("%s: %s, want %s", doc, got, want)
		}
	}
}

// TestExample: what `capstan init` writes satisfies the schema and the check.
func TestExample(t *testing.T) {
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(Example()), &doc); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(doc["spec"])
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := compile(t).Validate(v); err != nil {
		t.Error(err)
	}
	if found := Check(&core.Spec{Body: body}); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

// TestCheck: every fault of a document is told at once, with its path.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, body string
		gang       core.Gang
		want       []string
	}{
		{"good", `{"algorithm":{"use":"x"},"output":{"path":"file:///out"}}`, core.Gang{Size: 3, Min: 3, Max: 3}, nil},
		{"unknown field", `{"algoritm":{}}`, core.Gang{}, []string{"spec"}},
		{"nothing to run", `{"algorithm":{"with":{"a":1}},"output":{"path":"/out"}}`, core.Gang{}, []string{"spec.algorithm", "spec.output.path"}},
		{"exec and use", `{"algorithm":{"use":"x","exec":["y"],"with":{"a":1}},"output":{"path":"s3://"}}`, core.Gang{},
			[]string{"spec.algorithm", "spec.algorithm.with", "spec.output.path"}},
		{"program alone", `{"algorithm":{"program":"artifact:zz"},"output":{"path":"s3://a/b*"}}`, core.Gang{},
			[]string{"spec.algorithm", "spec.algorithm.program", "spec.output.path"}},
		{"empty command", `{"algorithm":{"exec":[""]},"output":{"path":"s3://a/b","compression":"snappy"}}`, core.Gang{},
			[]string{"spec.algorithm.exec.0", "spec.output.compression"}},
		{"graph without input", `{"algorithm":{"use":"x"},"graph":{"weight":"w"},"output":{"path":"s3://a/b","format":"arrow","compression":"gzip"}}`, core.Gang{},
			[]string{"spec.graph", "spec.graph.weight", "spec.graph.weight", "spec.output.compression"}},
		{"graph", `{"input":{"path":["file://x","in"],"format":"fixed"},"graph":{"layout":"adjacency","vertices":{"path":"v","columns":["a"]}},"algorithm":{"use":"x"},"output":{"path":"s3://a/b"}}`, core.Gang{},
			[]string{"spec.input.path.0", "spec.input.path.1", "spec.input.recordLength", "spec.input.format", "spec.graph.layout", "spec.graph.vertices.path", "spec.graph.vertices.columns"}},
		{"elastic", `{"algorithm":{"use":"x"},"checkpoint":{"every":0,"durability":"s3-sync"},"output":{"path":"s3://a/b"}}`, core.Gang{Size: 4, Min: 2, Max: 8, Restart: "none"},
			[]string{"gang.min", "gang.max", "gang.restart", "spec.checkpoint.durability"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range Check(&core.Spec{Gang: c.gang, Body: json.RawMessage(c.body)}) {
				got = append(got, d.Path)
				if d.Message == "" || d.Remedy == "" {
					t.Errorf("%+v says too little", d)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
