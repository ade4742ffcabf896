package terasort

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestGenerateIsTheSameInAnyNumberOfFiles(t *testing.T) {
	one, seven := t.TempDir(), t.TempDir()
	a, err := Generate(t.Context(), one, 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Generate(t.Context(), seven, 1000, 7)
	if err != nil {
		t.Fatal(err)
	}
	if a != b || a.Records != 1000 {
		t.Errorf("sums %v and %v", a, b)
	}
	if !bytes.Equal(join(t, one), join(t, seven)) {
		t.Error("the records differ")
	}
}

func TestValidate(t *testing.T) {
	dir := t.TempDir()
	want, err := Generate(t.Context(), dir, 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Validate(t.Context(), dir); err == nil || !strings.Contains(err.Error(), ": key ") {
		t.Errorf("unsorted records: %v", err)
	}
	records := slices.Collect(slices.Chunk(join(t, dir), RecordLength))
	slices.SortFunc(records, bytes.Compare)
	for _, c := range []struct {
		name    string
		records [][]byte
		same    bool
		fault   string
	}{
		{"sorted", records, true, ""},
		{"one lost", records[1:], false, ""},
		{"one twice", append([][]byte{records[0]}, records...), false, ""},
		{"cut off", append(slices.Clone(records), records[999][:50]), false, "record 1000: unexpected EOF"},
	} {
		content := bytes.Join(c.records, nil)
		if err := os.WriteFile(filepath.Join(dir, "part-00000.bin"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Validate(t.Context(), dir)
		if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%s: %v", c.name, err)
		}
		if (got == want) != c.same && c.fault == "" {
			t.Errorf("%s: summary %v of %v", c.name, got, want)
		}
	}
}

func TestValidateAcrossFiles(t *testing.T) {
	dir := t.TempDir()
	low, high := bytes.Repeat([]byte{1}, RecordLength), bytes.Repeat([]byte{2}, RecordLength)
	for name, r := range map[string][]byte{"part-0": high, "part-1": low} {
		if err := os.WriteFile(filepath.Join(dir, name), r, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Validate(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "part-1: record 0") {
		t.Errorf("files out of order: %v", err)
	}
}

func join(t *testing.T, dir string) []byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "part-*"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func TestSame(t *testing.T) {
	write := func(files ...string) string {
		dir := t.TempDir()
		for i, content := range files {
			if err := os.WriteFile(filepath.Join(dir, "part-"+string(rune('0'+i))), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	long := strings.Repeat("x", 3<<19)
	for _, c := range []struct {
		name  string
		a, b  []string
		fault string // of the error; "" for none
	}{
		{"equal", []string{"ab", "c"}, []string{"ab", "c"}, ""},
		{"cut elsewhere", []string{"ab", "", "c"}, []string{"a", "bc"}, ""},
		{"another byte", []string{"ab", "c"}, []string{"ab", "d"}, "at byte 2"},
		{"shorter", []string{"ab", "c"}, []string{"ab"}, "at byte 2"},
		{"longer", []string{"ab"}, []string{"ab", "c"}, "at byte 2"},
		{"far behind", []string{long, "a"}, []string{long, "b"}, "at byte 1572864"},
		{"nothing", []string{"a"}, nil, "holds no file"},
	} {
		err := Same(t.Context(), write(c.a...), write(c.b...))
		if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
