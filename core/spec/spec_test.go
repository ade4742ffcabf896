package spec

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
)

var kinds = []core.Description{{
	Kind: "Demo", Summary: "A kind for tests.", Ships: []string{"run.exec.0", "files.*!"},
	Schema: []byte(`{"type":"object","additionalProperties":false,"required":["input"],
	 "properties":{"input":{"$ref":"#/$defs/in"},"count":{"type":"integer","minimum":1},
	  "run":{"type":"object","properties":{"exec":{"type":"array"}}},"files":{"type":"array"}},
	 "$defs":{"in":{"type":"object","additionalProperties":false,"properties":{"path":{"type":"string"},"format":{"enum":["text","csv"]}}}}}`),
}}

const good = `apiVersion: capstan/v1
kind: Demo
metadata: {name: a-job, walltime: 10m}
gang: {size: 4, cpu: 500m, memory: 1Gi, placement: {pack: host}}
spec:
  input: {path: /x, format: csv}
`

func TestParse(t *testing.T) {
	s, err := Parse([]byte(good), "job.yaml", kinds)
	if err != nil {
		t.Fatal(err)
	}
	want := &core.Spec{
		APIVersion: "capstan/v1", Kind: "Demo",
		Metadata: core.Metadata{Name: "a-job", Queue: "default", Priority: 50, Walltime: core.Duration(10 * time.Minute)},
		Gang:     core.Gang{Size: 4, CPU: 500, Memory: 1 << 30, Placement: core.PlacementAsk{Pack: "host"}, StartTimeout: core.Duration(time.Minute)},
		Body:     []byte(`{"input":{"format":"csv","path":"/x"}}`),
	}
	if d := cmp.Diff(want, s); d != "" {
		t.Error(d)
	}
}

func TestFaults(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'j'; c++ {
		p := string(c - 1)
		bomb += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+p+",", 9), ",") + "]\n"
	}
	for _, c := range []struct {
		name, doc string
		want      []string // in order, each within one diagnostic
	}{
		{"unknown fields", strings.Replace(good, "size: 4", "siez: 4", 1) + "  cuont: 3\n",
			[]string{`line 4:8: gang.siez: unknown field "siez" (did you mean "size"?)`, `line 7:3: spec.cuont: unknown field "cuont" (did you mean "count"?)`}},
		{"wrong type", strings.Replace(good, "size: 4", "size: four", 1), []string{`line 4:14: gang.size: want integer, got string`}},
		{"enum", strings.Replace(good, "csv", "cvs", 1), []string{`spec.input.format: cvs is not one of text, csv (did you mean "csv"?)`}},
		{"kind", strings.Replace(good, "Demo", "Dmeo", 1), []string{`line 2:7: kind: no framework serves kind "Dmeo"; there are: Demo (did you mean "Demo"?)`}},
		{"missing", "kind: Demo\n", []string{`missing "apiVersion", "metadata", "spec"`}},
		{"cpu", strings.Replace(good, "500m", "500x", 1), []string{`gang.cpu: "500x" has the wrong form`}},
		{"bomb", bomb, []string{"more than 100000 values"}},
		{"two documents", good + "---\n" + good, []string{"a second document begins here"}},
		{"twice", good + "kind: Demo\n", []string{`"kind"`}},
		{"tabs", "a:\n\t- b\n", []string{"line 2"}},
		{"syntax", "a: b\n c: [d\n", []string{"line 2:1: mapping values are not allowed in this context"}},
		{"empty", "", []string{"empty"}},
		{"binary", "kind: !!binary aGk=\n", []string{"tag !!binary is not allowed"}},
		{"deep", strings.Repeat("[", 100) + strings.Repeat("]", 100), []string{"nested more than 64 levels deep"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.doc), "job.yaml", kinds)
			var e *core.Error
			if !errors.As(err, &e) || e.Kind != core.Invalid {
				t.Fatalf("got %v, want a core.Error of kind invalid", err)
			}
			if len(e.Diagnostics) != len(c.want) {
				t.Fatalf("got %d diagnostics, want %d: %v", len(e.Diagnostics), len(c.want), e)
			}
			for i, w := range c.want {
				if got := e.Diagnostics[i].String(); !strings.Contains(got, w) {
					t.Errorf("diagnostic %d: got %q, want it to contain %q", i, got, w)
				}
			}
		})
	}
}

// A priority of 0 is the lowest, and not that of a document which has none.
func TestPriorityZero(t *testing.T) {
	for doc, want := range map[string]int{
		good: 50,
		strings.Replace(good, "name: a-job", "name: a-job, priority: 0", 1): 0,
		strings.Replace(good, "name: a-job", "name: a-job, priority: 7", 1): 7,
	} {
		s, err := Parse([]byte(doc), "job.yaml", kinds)
		if err != nil || s.Metadata.Priority != want {
			t.Errorf("%v, want priority %d of %s", err, want, doc)
		}
	}
}

// What a document holds once its aliases are followed is bounded in bytes as
// well as in values, and so is what it takes to note where they stand.
func TestMemoryIsBounded(t *testing.T) {
	long := strings.Repeat("x", 400_000)
	for name, c := range map[string]struct{ doc, want string }{
		"a long text": {"a: &a " + long + "\nb: [" + strings.Repeat("*a,", 50_000) + "]\n", "bytes once aliases are followed"},
		"a long key":  {"a: &a {" + long + ": 1}\nb: [" + strings.Repeat("*a,", 40_000) + "]\n", "bytes once aliases are followed"},
		"under a key": {long + ": [" + strings.Repeat("1,", 90_000) + "]\n", `unknown field`},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Parse([]byte(c.doc), "job.yaml", kinds)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %.200v", name, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<30 {
			t.Errorf("%s: %d MiB were allocated", name, took>>20)
		}
	}
}

func TestTooLarge(t *testing.T) {
	_, err := Parse([]byte(good+"# "+strings.Repeat("x", 2<<20)), "big.yaml", kinds)
	if err == nil || !strings.Contains(err.Error(), "the limit is 1048576") {
		t.Errorf("got %v", err)
	}
}

func TestHash(t *testing.T) {
	a, err := Parse([]byte(good), "", kinds)
	if err != nil {
		t.Fatal(err)
	}
	same := `{"kind":"Demo","apiVersion":"capstan/v1","metadata":{"walltime":"600s","name":"a-job","queue":"default"},
	 "gang":{"memory":"1024Mi","placement":{"pack":"host"},"cpu":0.5,"size":4},"spec":{"input":{"format":"csv","path":"/x"}}}`
	b, err := Parse([]byte(same), "", kinds)
	if err != nil {
		t.Fatal(err)
	}
	if Hash(a) != Hash(b) {
		t.Error("two documents that mean the same have different hashes")
	}
	b.Gang.Size = 5
	if Hash(a) == Hash(b) {
		t.Error("different specs have one hash")
	}
}

func TestShips(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"mapper.py", "data.txt", "plain"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	doc := "kind: Demo\nspec:\n  run: {exec: [./mapper.py, ./other]}\n  files: [./data.txt, plain]\n"
	d, err := Ships([]byte(doc), kinds, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Files) != 3 || d.Files[0].Path != filepath.Join(dir, "mapper.py") {
		t.Fatalf("got %v", d.Files)
	}
	out, err := d.Doc([]string{"aa", "bb", "cc"})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"artifact:aa/mapper.py", "./other", "artifact:bb/data.txt", "artifact:cc/plain"} {
		if !strings.Contains(string(out), w) {
			t.Errorf("%q is not in:\n%s", w, out)
		}
	}
	for _, wrong := range []string{"./nope.txt", "nope", "/nope/nope", "."} {
		if _, err := Ships([]byte(strings.Replace(doc, "./data.txt", wrong, 1)), kinds, dir); core.KindOf(err) != core.Invalid || core.AsError(err).Remedy == "" {
			t.Errorf("files: [%s] answers %v", wrong, err)
		}
	}
	if d, err := Ships([]byte(strings.Replace(doc, "./mapper.py", "mapper.py", 1)), kinds, dir); err != nil || len(d.Files) != 2 {
		t.Errorf("a command without a slash is not the executor's own: %v, %v", d, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("<<: {a: 1}"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		s, err := Parse(doc, "fuzz", kinds)
		if err == nil && (s.Kind == "" || s.Gang.Size < 1) {
			t.Errorf("accepted %q as %+v", doc, s)
		}
	})
}
