package spec_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/service/spec"
)

func TestDefaults(t *testing.T) {
	b, err := spec.Parse([]byte(`{"exec": ["x"], "ports": [{"name": "http"}], "ready": {"http": {}}, "volumes": [{"name": "data"}], "update": {"canary": {}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if *b.Restart.InPlace != 3 || b.Ready.Threshold != 3 || b.Ready.HTTP.Port != "http" || b.Ready.HTTP.Path != "/" || b.Stop.Signal != "TERM" ||
		time.Duration(*b.Stop.Drain) != time.Second || b.Volumes[0].Path != "/capstan/volumes/data" || b.Update.Canary.Copies != 1 || !*b.Update.Rollback {
		t.Errorf("the defaults are %+v", b)
	}
	if *b.Update.Settle != 0 {
		t.Errorf("a copy with a probe settles for %s", b.Update.Settle)
	}
	if b, _ := spec.Parse([]byte(`{"exec": ["x"]}`)); time.Duration(*b.Update.Settle) != 2*time.Second || *b.Stop.Drain != 0 {
		t.Errorf("without probes it settles for %s and drains for %s", b.Update.Settle, b.Stop.Drain)
	}
	if _, err := spec.Parse([]byte(`{"exec": ["x"], "exce": 1}`)); core.KindOf(err) != core.Invalid {
		t.Errorf("an unknown field: %v", err)
	}
}

// A body that was parsed and written reads the same: versions are kept so.
func TestRoundTrip(t *testing.T) {
	b, err := spec.Parse([]byte(`{"exec": ["x"], "update": {"maxSurge": "30%", "maxUnavailable": 0}}`))
	if err != nil {
		t.Fatal(err)
	}
	once, _ := json.Marshal(b)
	again, err := spec.Parse(once)
	if err != nil {
		t.Fatal(err)
	}
	if twice, _ := json.Marshal(again); string(once) != string(twice) {
		t.Errorf("%s\n%s", once, twice)
	}
}

func TestRoom(t *testing.T) {
	for _, c := range []struct {
		update             string
		n, missing, beyond int
	}{
		{`{}`, 10, 2, 3},
		{`{}`, 1, 0, 1},
		{`{"maxUnavailable": 0, "maxSurge": 0}`, 4, 1, 0},
		{`{"maxUnavailable": "50%", "maxSurge": 2}`, 5, 2, 2},
		{`{"maxUnavailable": 9}`, 3, 3, 1},
		{`{"maxUnavailable": 0}, "volumes": [{"name": "data"}]`, 4, 1, 0},
	} {
		b, err := spec.Parse([]byte(`{"exec": ["x"], "update": ` + c.update + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if missing, beyond := b.Room(c.n); missing != c.missing || beyond != c.beyond {
			t.Errorf("%s of %d: %d, %d; want %d, %d", c.update, c.n, missing, beyond, c.missing, c.beyond)
		}
	}
}

// Copies that may not share a node have no room beside each other by default.
func TestApart(t *testing.T) {
	for body, want := range map[string]int{`{"exec": ["x"]}`: 0, `{"exec": ["x"], "update": {"maxSurge": 1}}`: 1} {
		s := &core.Spec{Body: []byte(body), Gang: core.Gang{Constraints: []core.Constraint{{Attribute: "host", Operator: "UNIQUE"}}}}
		b, err := spec.Of(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, surge := b.Room(4); surge != want {
			t.Errorf("%s: surge %d", body, surge)
		}
		s.Gang.Constraints = nil
		if b, _ := spec.Of(s); b.Update.MaxSurge.Of(4, true) != 1 {
			t.Errorf("%s: without constraints the surge is %s", body, b.Update.MaxSurge)
		}
	}
}

// Every fault is told with its place.
func TestCheck(t *testing.T) {
	s := &core.Spec{Metadata: core.Metadata{Name: "web", Array: "0-9"},
		Gang: core.Gang{Size: 2, Restart: "member", Roles: []core.Role{{Name: "a", Size: 1}}},
		Body: []byte(`{"exec": ["x"], "ports": [{"name": "a"}, {"name": "a"}], "ready": {"tcp": "b"}, "health": {"tcp": "a", "exec": ["x"]},
			"volumes": [{"name": "d", "path": "data"}, {"name": "d"}], "update": {"canary": {"copies": 3}}}`)}
	var found []string
	for _, d := range spec.Check(s) {
		found = append(found, d.Path)
	}
	want := "gang.restart gang.roles metadata.array spec.health spec.ports.1.name spec.ready.tcp spec.update.canary.copies spec.volumes.0.path spec.volumes.1"
	if got := strings.Join(found, " "); got != want {
		t.Errorf("faults at %s, want %s", got, want)
	}
}

// Shipped files of one name are one file.
func TestCheckShipped(t *testing.T) {
	a, b := strings.Repeat("a1", 32), strings.Repeat("b2", 32)
	for second, faults := range map[string]int{a: 0, b: 1} {
		doc := core.Spec{Gang: core.Gang{Size: 1}, Body: []byte(`{"exec":["artifact:` + a + `/web"],"files":["artifact:` + second + `/web"]}`)}
		if found := spec.Check(&doc); len(found) != faults || faults == 1 && found[0].Path != "spec.files.0" {
			t.Errorf("%s and %s: %+v", a, second, found)
		}
	}
}

// A service has no more copies than its coordinator can keep in one state.
func TestCheckCopies(t *testing.T) {
	for size, faults := range map[int]int{spec.MaxCopies: 0, spec.MaxCopies + 1: 1} {
		doc := core.Spec{Gang: core.Gang{Size: size}, Body: []byte(`{"exec":["sleep","1"]}`)}
		if found := spec.Check(&doc); len(found) != faults || faults == 1 && found[0].Path != "gang.size" {
			t.Errorf("%d copies: %+v", size, found)
		}
	}
}
