package flux_test

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/flux"
	"github.com/capstan-run/capstan/frameworks/stream/operator"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

func read(doc string, o flux.Options) (*topology.Topology, []core.Diagnostic, error) {
	o.Source, o.Catalog = "topology.yaml", operator.Catalog()
	return flux.Read([]byte(doc), o)
}

func TestMultilang(t *testing.T) {
	doc, err := os.ReadFile("testdata/multilang.yaml")
	if err != nil {
		t.Fatal(err)
	}
	top, warnings, err := read(string(doc), flux.Options{Filter: map[string]string{"greeting": "hello"}})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if top.Guarantee != topology.AtLeastOnce || top.Timeout != 10*time.Second || top.Pending != 100 || top.Config["greeting"] != "hello" {
		t.Errorf("the topology is %+v", top)
	}
	spout, split := top.Component("sentence-spout"), top.Component("splitsentence")
	if diff := cmp.Diff([]string{"node", "randomsentence.js"}, spout.Exec); diff != "" {
		t.Error(diff)
	}
	want := []topology.Output{
		{Stream: "default", Fields: []topology.Field{{Name: "word", Type: topology.JSON}}},
		{Stream: "errors", Fields: []topology.Field{{Name: "message", Type: topology.JSON}, {Name: "code", Type: topology.JSON}}},
	}
	if diff := cmp.Diff(want, spout.Outputs); diff != "" {
		t.Error(diff)
	}
	if spout.Config["rabbitmq.configfile"] != "etc/rabbit.yml" || split.Parallelism != 2 || split.Tasks != 4 {
		t.Errorf("%+v\n%+v", spout, split)
	}
	if l := top.Component("log"); l.Use != "log" || l.Role != topology.Sink {
		t.Errorf("log is %+v", l)
	}
	var edges []string
	for _, e := range top.Edges {
		edges = append(edges, fmt.Sprint(e.From, " ", e.Stream, " ", e.To, " ", e.Grouping.Kind, e.Grouping.Fields))
	}
	if diff := cmp.Diff([]string{
		"sentence-spout default splitsentence shuffle[]", "splitsentence default count fields[word]",
		"count default log partialKey[word]", "sentence-spout errors log global[]",
	}, edges); diff != "" {
		t.Error(diff)
	}
}

const (
	spout = "spouts:\n- {id: s, className: org.apache.storm.testing.TestWordSpout}\n"
	bolt  = "bolts:\n- {id: l, className: org.apache.storm.flux.wrappers.bolts.LogInfoBolt}\n"
	flow  = "streams:\n- {from: s, to: l, grouping: {type: SHUFFLE}}\n"
)

// Whatever is wrong is told by name and line, and nothing else is.
func TestFaults(t *testing.T) {
	shell := func(rest string) string {
		return "name: x\n" + spout + "bolts:\n- id: l\n  className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt\n" + rest + flow
	}
	for _, c := range []struct{ name, doc, want string }{
		{"class", "name: x\nspouts:\n- id: s\n  className: org.apache.storm.kafka.spout.KafkaSpout\n" + bolt + flow,
			"line 4:14: spouts.0.className: JVM class org.apache.storm.kafka.spout.KafkaSpout has no counterpart here"},
		{"component", "name: x\ncomponents:\n- id: scheme\n  className: org.apache.storm.kafka.StringScheme\n" + spout + bolt + flow,
			"line 4:14: components.0.className: JVM class org.apache.storm.kafka.StringScheme has no counterpart here"},
		{"custom grouping", "name: x\n" + spout + bolt + "streams:\n- from: s\n  to: l\n  grouping:\n    type: CUSTOM\n    customClass: {className: com.example.Mine}\n",
			"streams.0.grouping.customClass.className: JVM class com.example.Mine has no counterpart here"},
		{"hook", "name: x\nworkerHooks:\n- {id: h, className: com.example.Hook}\n" + spout + bolt + flow,
			"line 3:22: workerHooks.0.className: JVM class com.example.Hook has no counterpart here"},
		{"topology source", "name: x\ntopologySource: {className: com.example.Top}\n" + spout + bolt + flow,
			"topologySource.className: a topology that class com.example.Top makes cannot be read"},
		{"key", "name: x\nbolt: []\n" + spout + bolt + flow, `unknown field "bolt"`},
		{"grouping", "name: x\n" + spout + bolt + "streams:\n- {from: s, to: l, grouping: {type: SHUFLE}}\n", "streams.0.grouping.type"},
		{"no name", spout + bolt + flow, "the topology has no name"},
		{"spout as bolt", "name: x\n" + spout + "bolts:\n- {id: l, className: org.apache.storm.testing.TestWordSpout}\n" + flow,
			"bolts.0.className: JVM class org.apache.storm.testing.TestWordSpout has no counterpart here"},
		{"ref below", shell("  constructorArgs:\n  - [cat]\n  - {ref: f}\n"), `bolts.0.constructorArgs.1.ref: no component "f" is declared above`},
		{"reflist", shell("  constructorArgs:\n  - [cat]\n  - {reflist: [f]}\n"), `bolts.0.constructorArgs.1.reflist.0: no component "f" is declared above`},
		{"no command", shell("  constructorArgs: []\n"), "bolts.0.constructorArgs: a shell component has a command"},
		{"empty command", shell("  constructorArgs: [[], [a]]\n"), "bolts.0.constructorArgs.0: the command is a list of words"},
		{"method", shell("  constructorArgs: [[cat]]\n  configMethods:\n  - {name: setMagic, args: [1]}\n"),
			`line 9:12: bolts.0.configMethods.0.name: method "setMagic" of a shell component has no counterpart here`},
		{"property", shell("  constructorArgs: [[cat]]\n  properties:\n  - {name: magic, value: 1}\n"),
			`bolts.0.properties.0.name: property "magic" of a shell component has no counterpart here`},
		{"factory", shell("  constructorArgs: [[cat]]\n  factory: make\n"), `bolts.0.factory: factory method "make"`},
		{"fields", "name: x\n" + spout + bolt + "streams:\n- {from: s, to: l, grouping: {type: FIELDS, args: [wrod]}}\n",
			`streams.0.grouping: stream "default" of "s" has no field "wrod" (did you mean "word"?)`},
		{"stream", "name: x\n" + spout + bolt + "streams:\n- {from: s, to: l, grouping: {type: SHUFFLE, streamId: late}}\n", `"s" has no stream "late" (it has: default)`},
		{"include", "name: x\nincludes:\n- {file: other.yaml}\n" + spout + bolt + flow, "includes.0.file: files cannot be included here"},
		{"epoch", "name: x\nconfig: {capstan.epoch: soon}\n" + spout + bolt + flow, `capstan.epoch: "soon" is no time`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := read(c.doc, flux.Options{})
			if err == nil || core.KindOf(err) != core.Invalid || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got\n%v\nwant\n%s", err, c.want)
			}
			if n := len(core.AsError(err).Diagnostics); n != 1 {
				t.Errorf("one fault is told as %d:\n%v", n, err)
			}
		})
	}
}

// All faults come at once.
func TestAllAtOnce(t *testing.T) {
	_, _, err := read("name: x\nfoo: 1\nspouts:\n- {id: s, className: a.B}\nbolts:\n- {id: l, className: c.D}\n"+flow, flux.Options{})
	for _, want := range []string{`"foo"`, "a.B", "c.D"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
}

func TestSubstitute(t *testing.T) {
	doc := "name: ${name}\n# ${nobody}\nconfig:\n  home: ${ENV-HOME}\n  left: ${other}\n  command: ${ENV-SECRET}\n" + spout + bolt + flow
	env := func(name string) (string, bool) { return "/home/me", name == "HOME" }
	top, warnings, err := read(doc, flux.Options{Filter: map[string]string{"name": "named"}, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	if top.Name != "named" || top.Config["home"] != "/home/me" || top.Config["left"] != "${other}" {
		t.Errorf("%+v", top)
	}
	if len(warnings) != 2 || warnings[0].Line != 5 || !strings.Contains(warnings[0].Message, "${other}") || warnings[1].Line != 6 {
		t.Errorf("the warnings are %v", warnings)
	}
	if top, _, err := read(doc, flux.Options{Filter: map[string]string{"name": "named"}}); err != nil || top.Config["home"] != "${ENV-HOME}" {
		t.Errorf("without leave the environment was seen: %v, %v", top, err)
	}
	if _, _, err := read(doc, flux.Options{Filter: map[string]string{"name": "a\nevil: 1"}}); err != nil {
		t.Errorf("a value with a line break changed the document: %v", err)
	}
}

func including(files map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		text, ok := files[name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	}
}

func TestInclude(t *testing.T) {
	files := map[string]string{"parts.yaml": "config: {a: theirs, b: theirs}\n" +
		"components:\n- {id: keys, className: org.apache.storm.tuple.Fields, constructorArgs: [word]}\n" +
		"bolts:\n- {id: l, className: org.apache.storm.testing.TestWordCounter}\n"}
	doc := func(override string) string {
		return "name: x\nconfig: {a: ours}\nincludes:\n- {file: parts.yaml, resource: true, override: " + override + "}\n" + spout + bolt +
			"streams:\n- from: s\n  to: l\n  grouping:\n    type: CUSTOM\n    customClass: {className: org.apache.storm.grouping.PartialKeyGrouping, constructorArgs: [{ref: keys}]}\n"
	}
	top, warnings, err := read(doc("false"), flux.Options{Include: including(files)})
	if err != nil || top.Component("l").Use != "log" || top.Config["a"] != "ours" || top.Config["b"] != "theirs" {
		t.Errorf("%+v, %v", top, err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0].Message, "which is ignored") {
		t.Errorf("the warnings are %v", warnings)
	}
	top, warnings, err = read(doc("true"), flux.Options{Include: including(files)})
	if err != nil || top.Component("l").Use != "count" || top.Config["a"] != "theirs" || len(warnings) > 0 {
		t.Errorf("%+v, %v, %v", top, warnings, err)
	}
}

// A fault in an included file is told with the file and the line there.
func TestIncludeFaults(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"bolts:\n- id: l\n  className: com.example.B\n", "line 3:10: includes.0.file: parts.yaml line 3:14: bolts.0.className: JVM class com.example.B"},
		{"bolts:\n- id: b\n  clasName: x\n", "parts.yaml line 3:3: bolts.0.clasName"},
		{"includes: [{file: more.yaml}]\n", "includes files itself"},
		{"{{{", "includes.0.file: parts.yaml"},
	} {
		doc := "name: x\nincludes:\n- {file: parts.yaml, override: true}\n" + spout + bolt + flow
		_, _, err := read(doc, flux.Options{Include: including(map[string]string{"parts.yaml": c.file})})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got\n%v\nwant\n%s", err, c.want)
		}
	}
	_, _, err := read("name: x\nincludes:\n- {file: no.yaml}\n"+spout+bolt+flow, flux.Options{Include: including(nil)})
	if err == nil || !strings.Contains(err.Error(), "no.yaml cannot be read") {
		t.Error(err)
	}
}

// At most once is what Storm gives without ackers.
func TestGuarantee(t *testing.T) {
	for config, want := range map[string]topology.Guarantee{
		"{}": topology.AtLeastOnce, "{topology.acker.executors: 0}": topology.AtMostOnce, "{capstan.guarantee: exactlyOnce}": topology.ExactlyOnce,
	} {
		top, _, err := read("name: x\nconfig: "+config+"\n"+spout+bolt+flow, flux.Options{})
		if err != nil || top.Guarantee != want {
			t.Errorf("%s: %+v, %v", config, top, err)
		}
	}
}

// What streamparse writes: named streams, and a placeholder where there is no field.
func TestStreamparse(t *testing.T) {
	top, _, err := read(`{"name": "wc", "spouts": [{"id": "s", "className": "org.apache.storm.flux.wrappers.spouts.FluxShellSpout",
 "constructorArgs": [["streamparse_run", "spouts.words.WordSpout"], ["word"]], "parallelism": 1, "configMethods": []}],
 "bolts": [{"id": "b", "className": "org.apache.storm.flux.wrappers.bolts.FluxShellBolt", "constructorArgs": [["streamparse_run", "bolts.wc.Bolt"],
 ["NONE_BUT_FLUX_WANTS_SOMETHING_HERE"]], "parallelism": 2, "configMethods": [{"name": "setNamedStream", "args": ["late", ["word"]]}]}],
 "streams": [{"from": "s", "to": "b", "grouping": {"type": "FIELDS", "streamId": "default", "args": ["word"]}}]}`, flux.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if o := top.Component("b").Outputs; len(o) != 2 || len(o[0].Fields) != 0 || o[1].Stream != "late" {
		t.Errorf("b emits %+v", o)
	}
}

func FuzzRead(f *testing.F) {
	if doc, err := os.ReadFile("testdata/multilang.yaml"); err == nil {
		f.Add(string(doc))
	}
	f.Add("name: x\nincludes:\n- {file: a}\n" + spout + bolt + flow)
	f.Fuzz(func(t *testing.T, doc string) {
		top, found, err := read(doc, flux.Options{Include: including(map[string]string{"a": doc})})
		if err == nil && top == nil {
			t.Error("neither a topology nor an error")
		}
		if slices.ContainsFunc(found, func(d core.Diagnostic) bool { return !d.Warning }) {
			t.Errorf("a fault among the warnings: %v", found)
		}
	})
}
