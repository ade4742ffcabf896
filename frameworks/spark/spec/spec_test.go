package spec_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/capstan-run/capstan/core"
	corespec "github.com/capstan-run/capstan/core/spec"
	"github.com/capstan-run/capstan/frameworks/spark/spec"
)

func TestFaults(t *testing.T) {
	big := core.Gang{Size: 3, Memory: 2 << 30}
	for name, c := range map[string]struct {
		gang core.Gang
		body map[string]any
		want []string
	}{
		"good":               {big, map[string]any{"app": "./pi.py", "spark": "/opt/spark", "conf": map[string]string{"spark.executor.memory": "1g"}}, nil},
		"a jar":              {big, map[string]any{"app": "/apps/a.jar", "class": "Main"}, nil},
		"neither":            {big, map[string]any{"app": "./pi.sh"}, []string{"spec.app"}},
		"no path":            {big, map[string]any{"app": "pi.py"}, []string{"spec.app"}},
		"class of a script":  {big, map[string]any{"app": "./pi.py", "class": "Main"}, []string{"spec.class"}},
		"imports of a jar":   {big, map[string]any{"app": "./a.jar", "pyFiles": []string{"a.py"}}, []string{"spec.pyFiles"}},
		"relative":           {big, map[string]any{"app": "./pi.py", "spark": "spark", "python": "bin/python", "data": []string{"data"}}, []string{"spec.spark", "spec.python", "spec.data.0"}},
		"everything as data": {big, map[string]any{"app": "./pi.py", "data": []string{"//"}}, []string{"spec.data.0"}},
		"no prefix":          {big, map[string]any{"app": "./pi.py", "results": "s3://bucket", "eventLog": "/tmp"}, []string{"spec.results", "spec.eventLog"}},
		"decided":            {big, map[string]any{"app": "./pi.py", "conf": map[string]string{"spark.master": "local", "spark.driver.memory": "1g", "retries": "1"}}, []string{"spec.conf", "spec.conf", "spec.conf"}},
		"elastic":            {core.Gang{Size: 3, Min: 2, Memory: 2 << 30}, map[string]any{"app": "./pi.py"}, []string{"gang"}},
		"roles":              {core.Gang{Size: 3, Memory: 2 << 30, Roles: []core.Role{{Name: "a", Size: 3}}}, map[string]any{"app": "./pi.py"}, []string{"gang.roles"}},
		"small":              {core.Gang{Size: 3, Memory: 512 << 20}, map[string]any{"app": "./pi.py"}, []string{"gang.memory", "gang.memory"}},
		"small alone":        {core.Gang{Size: 1, Memory: 1 << 30}, map[string]any{"app": "./pi.py"}, []string{"gang.memory", "gang.memory"}},
		"a driver too large": {big, map[string]any{"app": "./pi.py", "driverMemory": "2Gi"}, []string{"spec.driverMemory"}},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(c.body)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range spec.Check(&core.Spec{Metadata: core.Metadata{Name: "x"}, Gang: c.gang, Body: text}) {
				if d.Message == "" || d.Remedy == "" {
					t.Errorf("%+v lacks words", d)
				}
				got = append(got, d.Path)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("faults at %q, want %q", got, c.want)
			}
		})
	}
}

// TestHeaps: what the JVMs of an executor take together fits into it.
func TestHeaps(t *testing.T) {
	b := &spec.Body{}
	for _, each := range []core.Bytes{2 << 30, 3 << 30, 16 << 30} {
		app, heap := b.Heaps(each, each, false)
		if app+spec.Daemon > each*8/10 || heap+spec.Daemon > each*8/10 || app < spec.MinHeap || heap < spec.MinHeap {
			t.Errorf("of %v: driver %v, executor %v", each, app, heap)
		}
		if app, heap = b.Heaps(each, each, true); app+heap+2*spec.Daemon > each*9/10 || app < spec.MinHeap/2 {
			t.Errorf("alone of %v: driver %v, executor %v", each, app, heap)
		}
	}
}

func TestExample(t *testing.T) {
	parsed, err := corespec.Parse([]byte(spec.Example()), "example.yaml", []core.Description{{Kind: spec.Kind, Schema: spec.Schema()}})
	if err != nil {
		t.Fatal(err)
	}
	if found := spec.Check(parsed); len(found) > 0 {
		t.Errorf("the example has faults: %+v", found)
	}
}
