package corpus

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// drawn writes d and counts what its files hold, by key and by group.
func drawn(t *testing.T, d Drawn) (text Text, keys, groups Counts) {
	t.Helper()
	text, err := d.Write(filepath.Join(t.TempDir(), "text"), 3)
	if err != nil {
		t.Fatal(err)
	}
	keys, groups = Counts{}, Counts{}
	files, err := filepath.Glob(filepath.Join(text.Dir, "*.txt"))
	if err != nil || len(files) != 3 {
		t.Fatalf("files %v, %v", files, err)
	}
	size := int64(0)
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		size += int64(len(b))
		for row := range strings.FieldsSeq(string(b)) {
			key := strings.TrimSuffix(row, ":1")
			keys[key]++
			group, _, _ := strings.Cut(key, ":")
			groups[group]++
		}
	}
	if got := keys.Answer(); got != text.Answer || size != text.Bytes || size > d.Bytes {
		t.Errorf("%+v holds %+v in %d bytes", text, got, size)
	}
	return text, keys, groups
}

func most(c Counts) (most int64) {
	for n := range maps.Values(c) {
		most = max(most, n)
	}
	return most
}

func TestDrawnDiffersOnlyInWhatIsHot(t *testing.T) {
	even := Drawn{Bytes: 90_000, Keys: 100}
	hot := even
	hot.Hot = true
	a, evenly, _ := drawn(t, even)
	b, half, _ := drawn(t, hot)
	if a.Bytes != b.Bytes || a.Answer.Words != b.Answer.Words || a.Answer.Distinct != 100 || b.Answer.Distinct != 100 {
		t.Errorf("even %+v, hot %+v", a, b)
	}
	if n := most(evenly); n > 200 {
		t.Errorf("of 10,000 rows of 100 keys, one has %d", n)
	}
	if n := half["w0000000"]; n < 4_800 || n > 5_300 {
		t.Errorf("the hot key has %d of 10,000 rows", n)
	}
}

func TestDrawnGroups(t *testing.T) {
	even := Drawn{Bytes: 150_000, Keys: 100, Groups: 4}
	hot := even
	hot.Hot = true
	a, _, evenly := drawn(t, even)
	b, _, half := drawn(t, hot)
	if a.Bytes != b.Bytes || a.Answer.Distinct != 100 || b.Answer.Distinct != 100 || len(evenly) != 4 || len(half) != 4 {
		t.Errorf("even %+v in %v, hot %+v in %v", a, evenly, b, half)
	}
	if n := most(evenly); n > 2_700 {
		t.Errorf("of 10,000 rows in 4 groups, one has %d", n)
	}
	if n := half["g000"]; n < 4_800 || n > 5_200 {
		t.Errorf("the hot group has %d of 10,000 rows", n)
	}
}

func TestDrawnIsTheSameAgain(t *testing.T) {
	d := Drawn{Bytes: 9_000, Keys: 10, Hot: true}
	a, _, _ := drawn(t, d)
	b, _, _ := drawn(t, d)
	if a.Answer != b.Answer {
		t.Errorf("%+v, then %+v", a.Answer, b.Answer)
	}
}
