package spec

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/spec"
)

func TestLay(t *testing.T) {
	for _, c := range []struct{ ranks, ppn, size, wantRanks, wantPPN, wantExecutors int }{
		{4, 2, 0, 4, 2, 2},
		{4, 0, 2, 4, 2, 2},
		{3, 2, 0, 3, 2, 2},
		{3, 0, 0, 3, 1, 3},
		{0, 2, 3, 6, 2, 3},
		{0, 0, 3, 3, 1, 3},
		{0, 0, 0, 2, 1, 2},
		{5, 0, 3, 5, 2, 3},
		{1, 8, 0, 1, 8, 1},
	} {
		l, err := Lay(c.ranks, c.ppn, c.size)
		if err != nil || l != (Layout{c.wantRanks, c.wantPPN, c.wantExecutors}) {
			t.Errorf("%+v: %+v, %v", c, l, err)
		}
		all := 0
		for x := range l.Executors {
			first, n := l.Of(x)
			if first != all || n < 1 || n > l.PPN || l.Executor(first) != x {
				t.Errorf("%+v: executor %d has %d ranks from %d on", c, x, n, first)
			}
			all += n
		}
		if all != l.Ranks {
			t.Errorf("%+v: %d ranks have a place", c, all)
		}
	}
	for _, c := range [][3]int{{4, 4, 2}, {4, 0, 3}, {9, 2, 4}} {
		if l, err := Lay(c[0], c[1], c[2]); core.KindOf(err) != core.Invalid {
			t.Errorf("%v is taken: %+v", c, l)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ body, gang, want string }{
		{`{"command": ["a"]}`, `{"size": 2}`, ""},
		{`{"command": ["a"], "programs": [{"ranks": 1, "command": ["b"]}]}`, `{}`, "spec.programs: the job has a command and programs"},
		{`{}`, `{}`, "spec: the job has no program"},
		{`{"programs": [{"ranks": 1, "command": ["b"]}], "ranks": 3}`, `{}`, "spec.ranks: each of the programs says"},
		{`{"command": ["a"], "ranks": 4, "ppn": 4}`, `{"size": 2}`, "gang.size: 4 ranks, 4 in each executor, fill 1 executors, and the gang has 2"},
		{`{"command": ["a"]}`, `{"size": 2, "min": 1}`, "gang: an MPI gang does not change its size"},
		{`{"command": ["a"]}`, `{"roles": [{"name": "x", "size": 1}]}`, "gang.roles: an MPI gang has no roles"},
		{`{"command": ["a"], "workdir": "x"}`, `{}`, `spec.workdir: "x" is no absolute path`},
		{`{"command": ["a"], "stdin": "x"}`, `{}`, `spec.stdin: "x" is no path`},
		{`{"command": ["a"], "checkpoint": {"path": "../x"}}`, `{}`, `spec.checkpoint.path: "../x" leads out`},
		{`{"command": ["a"], "checkpoint": {"path": "/x"}}`, `{}`, `spec.checkpoint.path: "/x" leads out`},
		{`{"command": ["a"], "nodes": 3}`, `{}`, "the spec is not an MPI body"},
	} {
		s := core.Spec{Kind: Kind, Body: json.RawMessage(c.body)}
		if err := json.Unmarshal([]byte(c.gang), &s.Gang); err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, d := range Check(&s) {
			found = append(found, d.Path+": "+d.Message)
		}
		all := strings.Join(found, "\n")
		if c.want == "" && all != "" || !strings.Contains(all, c.want) {
			t.Errorf("%s with %s: %q, want %q", c.body, c.gang, all, c.want)
		}
	}
}

// The example is a document of its kind, and nothing is wrong with it.
func TestExample(t *testing.T) {
	kinds := []core.Description{{Kind: Kind, Schema: Schema(), Example: Example()}}
	if _, err := spec.ParseChecked([]byte(Example()), "example.yaml", kinds, Check); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"command": ["a"], "ranks": 4}`))
	f.Add([]byte(`{"programs": [{"ranks": 1, "command": ["b"]}], "ppn": 2}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := Parse(body)
		if err != nil {
			return
		}
		for _, p := range b.Programs {
			if p.Ranks < 0 || p.Ranks > 1<<16 {
				return // the schema refuses it
			}
		}
		if b.Ranks < 0 || b.PPN < 0 || b.Ranks > 1<<20 || b.PPN > 1<<20 {
			return
		}
		if l, err := b.Layout(0); err == nil && (l.Executors < 1 || l.Ranks < 1) && len(b.Programs) == 0 {
			t.Errorf("%s: %+v", body, l)
		}
	})
}
