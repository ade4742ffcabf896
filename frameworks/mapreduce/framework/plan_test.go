package framework

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/work"
)

func plan(t *testing.T, body string, gang core.Gang) (*core.Plan, error) {
	t.Helper()
	job := &core.Job{Spec: core.Spec{Kind: Kind, Gang: gang, Body: json.RawMessage(body)}}
	return New(work.Registry{}).Plan(t.Context(), job)
}

func TestPlanAsksForWhatTheJobNames(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("a b c\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	sumA, sumB := strings.Repeat("a", 64), strings.Repeat("b", 64)
	for _, c := range []struct {
		name, body string
		gang       core.Gang
		want       core.GangAsk
		stages     []core.PlanStage
	}{
		{
			"built-ins over a folder",
			`{"input":{"path":"file://` + dir + `/*.txt"},"map":{"use":"words"},"reduce":{"use":"sum"},"output":{"path":"file://` + dir + `/out"}}`,
			core.Gang{Size: 3, CPU: 500, Memory: 1 << 30},
			core.GangAsk{Name: "main", Gang: core.Gang{Size: 3, CPU: 500, Memory: 1 << 30}, ReadOnly: []string{dir}},
			[]core.PlanStage{{Name: "map", Tasks: 1, Bytes: 6}, {Name: "reduce", Tasks: 4, AtMost: true}},
		},
		{
			"scripts want the machine's programs, and files",
			`{"input":{"path":"file://` + dir + `"},"map":{"exec":["artifact:` + sumA + `/m.py"]},"reduce":{"exec":["artifact:` + sumA + `/m.py","-r"]},` +
				`"files":["artifact:` + sumB + `/words.txt"],"output":{"path":"s3://results/x/"}}`,
			core.Gang{},
			core.GangAsk{
				Name: "main", Gang: core.Gang{Size: 2, CPU: 1000, Memory: 512 << 20}, ReadOnly: []string{dir}, Userland: true,
				Files: []core.File{{Name: "m.py", SHA256: sumA, Mode: 0o555}, {Name: "words.txt", SHA256: sumB, Mode: 0o555}},
				Store: []core.StoreGrant{{Prefix: "results/x/", Write: true}},
			},
			[]core.PlanStage{{Name: "map", Tasks: 1, Bytes: 6}, {Name: "reduce", Tasks: 4, AtMost: true}},
		},
		{
			"a program is the executor",
			`{"input":{"path":["s3://in/logs/2024-*/x","s3://in/one","s3://in"]},"map":{"program":"artifact:` + sumA + `/wc","use":"split"},"output":{"path":"s3://out/y"}}`,
			core.Gang{Size: 1, CPU: 1000, Memory: 512 << 20, Image: "python:3"},
			core.GangAsk{
				Name: "main", Gang: core.Gang{Size: 1, CPU: 1000, Memory: 512 << 20, Image: "python:3"}, Program: sumA,
				Store: []core.StoreGrant{{Prefix: "in/logs/"}, {Prefix: "in/one"}, {Prefix: "in/"}, {Prefix: "out/y/", Write: true}},
			},
			[]core.PlanStage{{Name: "map"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := plan(t, c.body, c.gang)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([]core.GangAsk{c.want}, p.Gangs); d != "" {
				t.Errorf("gang (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.stages, p.Stages); d != "" {
				t.Errorf("stages (-want +got):\n%s", d)
			}
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, body string
		kind       core.ErrKind
		path       string // of a diagnostic
	}{
		{"no such built-in", `{"input":{"path":"file://` + dir + `"},"map":{"use":"wrods"},"output":{"path":"file:///x/out"}}`, core.Invalid, "spec.map.use"},
		{"argument of a built-in", `{"input":{"path":"file://` + dir + `"},"map":{"use":"words","with":{"x":"y"}},"output":{"path":"file:///x/out"}}`, core.Invalid, "spec.map.with.x"},
		{"no such input", `{"input":{"path":"file://` + dir + `/none"},"map":{"use":"words"},"output":{"path":"file:///x/out"}}`, core.NotFound, "spec.input.path"},
	} {
		_, err := plan(t, c.body, core.Gang{Size: 1})
		e := core.AsError(err)
		if e == nil || e.Kind != c.kind || len(e.Diagnostics) == 0 || e.Diagnostics[0].Path != c.path || e.Diagnostics[0].Remedy == "" {
			t.Errorf("%s: got %+v", c.name, e)
		}
	}
}

func TestWarningsDoNotRefuse(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := plan(t, `{"input":{"path":"file://`+dir+`"},"map":{"use":"words"},"shuffle":{"partitions":2},"output":{"path":"file://`+dir+`/out"}}`, core.Gang{Size: 1})
	if err != nil || len(p.Diagnostics) != 1 || !p.Diagnostics[0].Warning {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestDescription(t *testing.T) {
	d := New(work.Registry{}).Describe()
	if d.Kind != "MapReduce" || !json.Valid(d.Schema) || !strings.Contains(d.Example, "kind: MapReduce") || len(d.Ships) == 0 {
		t.Errorf("got %+v", d)
	}
}
