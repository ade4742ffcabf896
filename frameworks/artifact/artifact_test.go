package artifact

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
)

var (
	sumA = strings.Repeat("a1", 32)
	sumB = strings.Repeat("b2", 32)
)

func TestParse(t *testing.T) {
	a, ok := Parse("artifact:" + sumA + "/mapper.py")
	if !ok || a.SHA256 != sumA || a.Base != "mapper.py" {
		t.Fatalf("got %+v, %v", a, ok)
	}
	for _, bad := range []string{
		"", "mapper.py", "artifact:", "artifact:x/y", "artifact:" + sumA, "artifact:" + sumA + "/",
		"artifact:" + sumA + "/.", "artifact:" + sumA + "/..", "artifact:" + sumA + "/../y", "artifact:" + sumA + "/a/b",
		"artifact:" + sumA[1:] + "/x", "artifact:" + strings.ToUpper(sumA) + "/x", "artifact:" + sumA + "/a\x00b",
	} {
		if _, ok := Parse(bad); ok {
			t.Errorf("%q is taken for an artifact", bad)
		}
		if got, want := Malformed(bad), strings.HasPrefix(bad, "artifact:"); got != want {
			t.Errorf("%q is malformed: %v, want %v", bad, got, want)
		}
	}
	if Malformed(a.String()) {
		t.Errorf("%s is malformed", a)
	}
}

func TestIn(t *testing.T) {
	for name, want := range map[string]string{
		"artifact:" + sumA + "/m.py": "/files/m.py", "sort": "sort", "/usr/bin/sort": "/usr/bin/sort", "artifact:x": "artifact:x", "": "",
	} {
		if got := In("/files", name); got != want {
			t.Errorf("%q lies at %q, want %q", name, got, want)
		}
	}
}

func ship(sum, base string) string { return Artifact{sum, base}.String() }

func TestList(t *testing.T) {
	var l List
	l.AddCommand("map.exec", []string{ship(sumA, "m.py"), ship(sumA, "not-this")})
	l.AddCommand("combine.exec", nil)
	l.AddCommand("reduce.exec", []string{"sort"})
	l.AddProgram("reduce.program", "")
	l.AddProgram("reduce.program", ship(sumB, "p"))
	l.AddFiles("files", []string{"x", ship(sumB, "f"), ship(sumA, "m.py")})
	want := List{
		{"map.exec.0", false, Artifact{sumA, "m.py"}},
		{"reduce.program", true, Artifact{sumB, "p"}},
		{"files.1", false, Artifact{sumB, "f"}},
		{"files.2", false, Artifact{sumA, "m.py"}},
	}
	if d := cmp.Diff(want, l); d != "" {
		t.Error(d)
	}
	files := []core.File{{Name: "m.py", SHA256: sumA, Mode: 0o555}, {Name: "f", SHA256: sumB, Mode: 0o555}}
	if d := cmp.Diff(files, l.Files()); d != "" {
		t.Error(d)
	}
	if l.Program() != sumB || (List{}).Program() != "" {
		t.Errorf("the program is %q", l.Program())
	}
	if found := l.Clashes(); found != nil {
		t.Errorf("one file in two places: %v", found)
	}
}

// TestClashes: the faults are told where the second file stands (law A3).
func TestClashes(t *testing.T) {
	var l List
	l.AddCommand("exec", []string{ship(sumA, "x")})
	l.AddProgram("program", ship(sumB, "x"))
	l.AddFiles("files", []string{ship(sumA, "y"), ship(sumB, "y"), ship(sumA, "x")})
	var got []string
	for _, d := range l.Clashes() {
		got = append(got, d.String())
	}
	want := []string{
		`spec.program: two different files are named "x" (the other is at exec.0) (rename one: they lie in one folder)`,
		`spec.files.1: two different files are named "y" (the other is at files.0) (rename one: they lie in one folder)`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestFaults(t *testing.T) {
	if found := Faults("map.program", "artifact:zz"); len(found) != 1 || found[0].Path != "spec.map.program" {
		t.Errorf("got %v", found)
	}
	for _, fine := range []string{"", "./wordcount", ship(sumA, "wordcount")} {
		if found := Faults("map.program", fine); found != nil {
			t.Errorf("%q: %v", fine, found)
		}
	}
}

// FuzzParse: what parses prints back the same and names one file (law A2).
func FuzzParse(f *testing.F) {
	f.Add("artifact:" + strings.Repeat("0", 64) + "/x")
	f.Add("artifact:/../x")
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := Parse(s)
		if ok && (a.String() != s || strings.ContainsAny(a.Base, "/\x00") || a.Base == "..") {
			t.Errorf("%q was read as %+v", s, a)
		}
	})
}
