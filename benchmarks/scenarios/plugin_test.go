package scenarios

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// TestThirdParty drops the framework of another module into the plugin folder:
// its jobs run, and a changed binary is refused until somebody accepts it.
func TestThirdParty(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, launcher string) {
		l := bare(t, launcher)
		pi := l.thirdParty()
		l.up()
		if out := l.ok("plugin", "verify"); !strings.Contains(out, "Pi") || !strings.Contains(out, "mapreduce") {
			t.Errorf("plugin verify shows\n%s", out)
		}
		doc := l.write("pi.yaml", l.ok("init", "pi"))
		if out := l.ok("run", doc); !strings.Contains(out, "3.14159") {
			t.Errorf("the job says\n%s", out)
		}
		if r := l.do("validate", l.write("wrong.yaml", strings.Replace(read(t, doc), "terms:", "trems:", 1))); r.code != core.Invalid.ExitCode() || !strings.Contains(r.err, "spec.trems") {
			t.Errorf("a misspelt field of its spec: %s", r)
		}
		l.down()
		l.swap(pi)
		l.up()
		if r := l.do("run", doc); r.code == 0 {
			t.Errorf("a plugin whose binary changed runs a job: %s", r)
		}
		if r := l.do("plugin", "list"); r.code != core.Failed.ExitCode() || !strings.Contains(r.err, "--accept pi") {
			t.Errorf("a plugin whose binary changed is listed: %s", r)
		}
		l.ok("plugin", "verify", "--accept", "pi")
		l.ok("run", "-q", doc)
	})
}

// thirdParty builds the example framework as its author would, in a folder that
// only knows where Capstan lies, and puts it into the plugin folder.
func (l *lab) thirdParty() string {
	l.t.Helper()
	src := filepath.Join(module, "plugins", "examples", "pi")
	for name, from := range map[string]string{
		"go.mod": filepath.Join(src, "go.mod"), "main.go": filepath.Join(src, "main.go"), "go.sum": filepath.Join(module, "go.sum"),
	} {
		l.write("src/"+name, strings.ReplaceAll(read(l.t, from), "=> ../../..", "=> "+module))
	}
	folder := filepath.Join(l.state, "plugins")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		l.t.Fatal(err)
	}
	pi := filepath.Join(folder, "pi")
	if err := build(filepath.Join(l.dir, "src"), pi, ".", "GOWORK=off", "GOFLAGS=-mod=mod"); err != nil {
		l.t.Fatal(err)
	}
	return pi
}

// swap puts another binary in a plugin's place: the same with a byte more.
func (l *lab) swap(path string) {
	l.t.Helper()
	old := []byte(read(l.t, path))
	if err := errors.Join(os.Remove(path), os.WriteFile(path, bytes.Join([][]byte{old, {0}}, nil), 0o700)); err != nil {
		l.t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
