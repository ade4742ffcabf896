package corpus

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func tree(t *testing.T, files map[string]string) Source {
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Source{Root: root, Name: "test", Cache: t.TempDir()}
}

func TestTextRepeatsAndCutsAtALine(t *testing.T) {
	s := tree(t, map[string]string{"a.go": "to be\n", "b/c.go": "or not", "b/d.txt": "no"})
	text, err := s.Text(30, 1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(text.File)
	if err != nil {
		t.Fatal(err)
	}
	if want := "to be\nor not\nto be\nor not\n"; string(got) != want {
		t.Errorf("text is %q, want %q", got, want)
	}
	if text.Bytes != int64(len(got)) || text.Answer.Words != 8 || text.Answer.Distinct != 4 {
		t.Errorf("described as %+v", text)
	}
}

func TestTextIsTheSameInManyFiles(t *testing.T) {
	s := tree(t, map[string]string{"a.go": strings.Repeat("to be or not to be\n", 100)})
	one, err := s.Text(1900, 1)
	if err != nil {
		t.Fatal(err)
	}
	many, err := s.Text(1900, 10)
	if err != nil {
		t.Fatal(err)
	}
	if one.Answer != many.Answer || one.Bytes != many.Bytes {
		t.Errorf("one file: %+v\nten files: %+v", one, many)
	}
	if files, _ := os.ReadDir(many.Dir); len(files) != 10 {
		t.Errorf("%d files", len(files))
	}
}

func TestTextComesFromTheCache(t *testing.T) {
	s := tree(t, map[string]string{"a.go": "to be\n"})
	first, err := s.Text(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.Root); err != nil {
		t.Fatal(err)
	}
	second, err := s.Text(100, 1)
	if err != nil || first != second {
		t.Errorf("second time: %+v, %v", second, err)
	}
	if _, err := s.Text(200, 1); err == nil {
		t.Error("a text of nothing was made")
	}
}

func TestReadCountsFindsWrongResults(t *testing.T) {
	for _, text := range []string{"word\n", "word\tx\n", "a\t1\na\t2\n"} {
		if err := (Counts{}).AddResult(strings.NewReader(text)); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestAnswerIgnoresOrder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"part-1": "b\t1\n", "part-0": "c\t1\na\t2\n", "_SUCCESS": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read, err := ReadCounts(dir)
	if err != nil {
		t.Fatal(err)
	}
	counted := Counts{}
	counted.AddText([]byte("a b c a"))
	if read.Answer() != counted.Answer() {
		t.Errorf("read %+v, counted %+v", read.Answer(), counted.Answer())
	}
	counted.AddText([]byte("a"))
	if read.Answer() == counted.Answer() {
		t.Error("a different count has the same answer")
	}
}

func FuzzClean(f *testing.F) {
	f.Add([]byte("a\u00a0b\r\n\xff\x1c\u2028c"))
	f.Fuzz(func(t *testing.T, p []byte) {
		got := clean(nil, p)
		if !utf8.Valid(got) {
			t.Fatalf("%q is not UTF-8", got)
		}
		if i := bytes.IndexFunc(got, func(r rune) bool {
			return r < ' ' && r != '\n' && r != '\t' || r > ' ' && unicode.IsSpace(r)
		}); i >= 0 {
			t.Fatalf("%q at %d", got, i)
		}
	})
}
