package plugins

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
)

func TestPins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pins")
	p, err := loadPins(path)
	if err != nil {
		t.Fatal(err)
	}
	kinds := []core.Description{{Kind: "Pi", Schema: []byte(`{"type":"object"}`)}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(p.remember("pi", kinds)) // not pinned: nothing to remember it by
	must(p.trust("pi", "aa", firstUse))
	must(p.remember("pi", kinds))
	must(p.trust("e", "cc", firstUse))
	must(p.trust("pi", "bb", accepted)) // keeps what it served
	again, err := loadPins(path)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := again.get("pi")
	want := pin{SHA256: "bb", How: accepted, Kinds: kinds}
	want.Kinds[0].Schema = got.Kinds[0].Schema // as JSON it means the same
	if diff := cmp.Diff(want, got); diff != "" || len(again.all) != 2 {
		t.Errorf("%d pins; %s", len(again.all), diff)
	}
	before, err := os.Stat(path)
	must(err)
	must(again.remember("pi", []core.Description{{Kind: "Pi", Schema: []byte(`{ "type":"object" }`)}})) // no news
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Error("what was known is written again")
	}
	// A file of before plugins were known by their kinds.
	must(os.WriteFile(path, []byte(`{"old": {"sha256": "dd", "how": "first use"}}`), 0o600))
	if old, err := loadPins(path); err != nil || old.all["old"].SHA256 != "dd" {
		t.Errorf("an older file: %v, %v", old, err)
	}
	must(os.WriteFile(path, []byte(`{`), 0o600))
	if _, err := loadPins(path); core.AsError(err) == nil || core.AsError(err).Remedy == "" {
		t.Errorf("a damaged file: %v", err)
	}
}
