package core_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/capstan-run/capstan"

// policy is which rooms a room may import besides itself: a statement of
// policy, so do not change it to mend a build. The longest matching prefix
// counts.
var policy = map[string][]string{
	"core":          {"core"},
	"core/gang":     {"core", "core/place", "core/queue"},
	"core/place":    {"core"},
	"core/queue":    {"core"},
	"core/calendar": {"core"},
	"core/predict":  {"core"},
	"core/simulate": {"core", "core/gang", "core/place", "core/predict", "core/queue"},
	"core/journal":  {"core"},
	"core/spec":     {"core"},
	"core/launch":   {"core"},
	"shuffle":       {"core", "core/unixsock", "shuffle"},
	"frameworks":    {"core", "core/executor", "core/unixsock", "shuffle"},
	"plugins":       {"core", "frameworks", "plugins"},
	"benchmarks":    {"core", "frameworks", "plugins", "shuffle", "benchmarks"},
	"":              {"core", "frameworks", "plugins", "shuffle", "benchmarks"},
}

// owner is the one room that may import a foreign library.
var owner = map[string]string{
	"github.com/docker/docker":              "core/launch/docker",
	"github.com/hashicorp/go-plugin":        "plugins",
	"github.com/minio/minio-go":             "shuffle/store",
	"github.com/versity/versitygw":          "shuffle/store",
	"modernc.org/sqlite":                    "core/journal",
	"github.com/spf13/cobra":                "core/cli,benchmarks",
	"github.com/vbauerster/mpb":             "core/cli",
	"github.com/adhocore/gronx":             "core/calendar",
	"go.yaml.in/yaml":                       "core",
	"github.com/santhosh-tekuri/jsonschema": "core/spec,plugins/plugintest",
	"github.com/apache/arrow":               "shuffle,frameworks,benchmarks",
}

// pure names rooms that decide, and what they must not see.
var pure = map[string][]string{
	"core/gang":     {"os", "net", "context", "math/rand", "sync", "log/slog"},
	"core/place":    {"os", "net", "context", "math/rand", "sync", "log/slog"},
	"core/queue":    {"os", "net", "context", "math/rand", "sync", "log/slog"},
	"core/calendar": {"os", "net", "context", "math/rand", "sync", "log/slog"},
	"core/predict":  {"os", "net", "context", "math/rand", "sync", "log/slog"},
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	seen := 0
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		checkRooms(t, p)
		checkOwners(t, p)
		for _, bad := range pure[room(p.ImportPath)] {
			for _, imp := range p.Imports {
				if imp == bad {
					t.Errorf("%s decides, so it must not import %s", p.ImportPath, bad)
				}
			}
		}
	}
	if seen < 10 {
		t.Fatalf("go list showed %d packages", seen)
	}
}

// TestNoClock holds rooms that decide to time as a value: they may name a
// time.Duration, but not ask what time it is.
func TestNoClock(t *testing.T) {
	seen := 0
	for dir := range pure {
		files, err := filepath.Glob(filepath.Join(strings.TrimPrefix(dir, "core/"), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			seen++
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, bad := range []string{"time.Now(", "time.Since(", "time.After(", "go func("} {
				if strings.Contains(string(src), bad) {
					t.Errorf("%s decides, so it must not use %s", f, bad)
				}
			}
		}
	}
	if seen < 5 {
		t.Fatalf("looked at %d files", seen)
	}
}

func room(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
}

func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func checkRooms(t *testing.T, p pkg) {
	from := room(p.ImportPath)
	rule := ""
	for r := range policy {
		if r != "" && under(from, r) && len(r) > len(rule) {
			rule = r
		}
	}
	for _, imp := range p.Imports {
		if !under(imp, module) {
			continue
		}
		to := room(imp)
		if under(to, rule) && rule != "" && rule != "frameworks" || from == to {
			continue
		}
		ok := false
		for _, a := range policy[rule] {
			ok = ok || under(to, a)
		}
		if rule == "frameworks" {
			ok = ok || sameFramework(from, to)
		}
		if !ok {
			t.Errorf("%s imports %s: against the policy of %q", from, to, rule)
		}
	}
}

// shared are the rooms of frameworks/ that belong to all frameworks. They import
// none of them: what one framework alone knows stays with it.
//
//	artifact     files that a submitter ships
//	coordinator  the loop around a coordinator's machine
//	dataset      records that are read and written, and the programs that submit jobs
var shared = []string{"frameworks/artifact", "frameworks/coordinator", "frameworks/dataset"}

// sameFramework reports whether room b is of room a's framework, or belongs to
// all of them.
func sameFramework(a, b string) bool {
	for _, s := range shared {
		if under(b, s) {
			return true
		}
	}
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	return len(x) > 1 && len(y) > 1 && y[0] == "frameworks" && x[1] == y[1]
}

func checkOwners(t *testing.T, p pkg) {
	from := room(p.ImportPath)
	for _, imp := range p.Imports {
		for lib, rooms := range owner {
			if !under(imp, lib) && !strings.HasPrefix(imp, lib+"/") {
				continue
			}
			ok := false
			for _, r := range strings.Split(rooms, ",") {
				ok = ok || under(from, r)
			}
			if !ok {
				t.Errorf("%s imports %s, which belongs to %s", from, imp, rooms)
			}
		}
	}
}
