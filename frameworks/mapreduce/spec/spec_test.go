package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
)

func compile(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("mapreduce.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mapreduce.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t testing.TB, s *jsonschema.Schema, doc string) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return s.Validate(v)
}

// node is a JSON Schema object as a test sees it.
type node map[string]any

func (n node) object(key string) node {
	m, _ := n[key].(map[string]any)
	return m
}

// TestSchemaHasTheFieldsOfBody holds schema and Go type together, both ways.
func TestSchemaHasTheFieldsOfBody(t *testing.T) {
	var root node
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
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
	var root node
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	b, err := Parse(json.RawMessage(`{"input":{"path":"file:///in"},"map":{"exec":["x"]},"output":{"path":"file:///out"},"preview":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	filled := map[string]any{"input": b.Input, "step": b.Map, "shuffle": b.Shuffle, "output": b.Output, "preview": b.Preview, "tasks": b.Tasks}
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
			if !ok {
				continue
			}
			if name == "timeout" || want == false || want == float64(0) {
				continue // another spelling; or left out of JSON since it is zero
			}
			if fmt.Sprint(got[name]) != fmt.Sprint(want) {
				t.Errorf("%s.%s: schema says %v, Parse fills in %v", def, name, want, got[name])
			}
		}
	}
	if b.Tasks.Timeout != core.Duration(10*time.Minute) {
		t.Errorf("timeout %s", b.Tasks.Timeout)
	}
}

func TestSchemaRefuses(t *testing.T) {
	s := compile(t)
	const good = `{"input":{"path":"file:///in"},"map":{"use":"words"},"output":{"path":"file:///out"}}`
	if err := validate(t, s, good); err != nil {
		t.Fatalf("a good body is refused: %v", err)
	}
	for _, bad := range []string{
		`{}`,
		`{"input":{"path":"file:///in"},"map":{"use":"words"}}`,
		`{"inptu":{"path":"file:///in"},"map":{"use":"words"},"output":{"path":"file:///out"}}`,
		`{"input":{"path":[]},"map":{"use":"words"},"output":{"path":"file:///out"}}`,
		`{"input":{"path":"file:///in","format":"xml"},"map":{"use":"words"},"output":{"path":"file:///out"}}`,
		`{"input":{"path":"file:///in","splitSize":"64MB!"},"map":{"use":"words"},"output":{"path":"file:///out"}}`,
		`{"input":{"path":"file:///in"},"map":{},"output":{"path":"file:///out"}}`,
		`{"input":{"path":"file:///in"},"map":{"use":"words","lang":"go"},"output":{"path":"file:///out"}}`,
		`{"input":{"path":"file:///in"},"map":{"use":"words"},"output":{"path":"file:///out"},"tasks":{"timeout":"soon"}}`,
		`{"input":{"path":"file:///in"},"map":{"use":"words"},"output":{"path":"file:///out"},"tasks":{"attempts":0}}`,
		`{"input":{"path":"file:///in"},"map":{"use":"words"},"output":{"path":"file:///out"},"env":{"A B":"x"}}`,
		`{"input":{"path":"file:///in"},"map":{"use":"words"},"output":{"path":"file:///out"},"preview":{"limit":5000}}`,
	} {
		if validate(t, s, bad) == nil {
			t.Errorf("accepted: %s", bad)
		}
	}
}

func TestExampleIsValid(t *testing.T) {
	var doc struct {
		Kind string
		Spec map[string]any
	}
	if err := yaml.Unmarshal([]byte(Example()), &doc); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(doc.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, compile(t), string(body)); err != nil {
		t.Error(err)
	}
	if found := Check(&core.Spec{Body: body}, []string{"words", "sum"}); len(found) > 0 {
		t.Errorf("check: %v", found)
	}
}

func TestParseRefusesUnknownFields(t *testing.T) {
	_, err := Parse(json.RawMessage(`{"input":{"path":"file:///in"},"mapp":{}}`))
	if core.KindOf(err) != core.Invalid || !strings.Contains(err.Error(), "mapp") {
		t.Errorf("got %v", err)
	}
}

func TestPartitionsAndSlots(t *testing.T) {
	for _, c := range []struct {
		body       string
		size       int
		cpu        core.MilliCPU
		partitions int
		slots      int
	}{
		{`{"map":{"use":"words"}}`, 4, 1000, 0, 1},
		{`{"map":{"use":"words"},"reduce":{"use":"sum"}}`, 4, 1000, 8, 1},
		{`{"map":{"use":"words"},"reduce":{"use":"sum"}}`, 4, 100, 4, 1},
		{`{"map":{"use":"words"},"reduce":{"use":"sum"}}`, 1, 2500, 6, 3},
		{`{"map":{"use":"words"},"reduce":{"use":"sum"},"shuffle":{"partitions":3}}`, 4, 1000, 3, 1},
		{`{"map":{"use":"words"},"reduce":{"use":"sum"},"shuffle":{"by":"first"}}`, 4, 1000, 1, 1},
		{`{"map":{"use":"words"},"tasks":{"slots":7}}`, 4, 1000, 0, 7},
	} {
		b, err := Parse(json.RawMessage(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if p, s := b.PartitionsOf(c.size, c.cpu), b.SlotsOf(c.cpu); p != c.partitions || s != c.slots {
			t.Errorf("%s for %d × %s: %d partitions, %d slots; want %d, %d", c.body, c.size, c.cpu, p, s, c.partitions, c.slots)
		}
	}
}

func TestShipped(t *testing.T) {
	sum := strings.Repeat("a1", 32)
	b, err := Parse(json.RawMessage(fmt.Sprintf(`{"map":{"exec":["artifact:%[1]s/m.py","artifact:%[1]s/not-this"]},"reduce":{"program":"artifact:%[1]s/p","use":"f"},"files":["x","artifact:%[1]s/f"]}`, sum)))
	if err != nil {
		t.Fatal(err)
	}
	want := artifact.List{
		{Path: "map.exec.0", Artifact: artifact.Artifact{SHA256: sum, Base: "m.py"}},
		{Path: "reduce.program", Program: true, Artifact: artifact.Artifact{SHA256: sum, Base: "p"}},
		{Path: "files.1", Artifact: artifact.Artifact{SHA256: sum, Base: "f"}},
	}
	if d := cmp.Diff(want, b.Shipped()); d != "" {
		t.Error(d)
	}
}

// FuzzCheck: whatever satisfies JSON is checked without a panic, and what the
// schema accepts Parse accepts, too.
func FuzzCheck(f *testing.F) {
	f.Add(`{"input":{"path":"file:///in"},"map":{"use":"words"},"output":{"path":"file:///out"}}`)
	f.Add(`{"input":{"path":["s3://b/*"],"splitSize":"1.5Gi"},"map":{"exec":["tr"],"as":"lines"},"reduce":{"use":"sum"},"shuffle":{"by":"range"},"output":{"path":"s3://b/o"},"tasks":{"timeout":"90s"}}`)
	s := compile(f)
	f.Fuzz(func(t *testing.T, doc string) {
		if !json.Valid([]byte(doc)) {
			return
		}
		Check(&core.Spec{Body: json.RawMessage(doc)}, []string{"words", "sum"})
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
		if err != nil || s.Validate(v) != nil {
			return
		}
		// 1.0 and 1e3 are integers to the schema only; documents come as YAML.
		var number *json.UnmarshalTypeError
		if _, err := Parse(json.RawMessage(doc)); err != nil && !errors.As(err, &number) {
			t.Errorf("the schema accepts what Parse refuses: %v\n%s", err, doc)
		}
	})
}
