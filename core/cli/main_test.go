package cli_test

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/cli"
)

// TestMain makes the test binary a capstan of its own: the real commands over a
// host that does what a job's name says.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"capstan": func() {
		w := cli.Wiring{
			Version: "v1.2.3", Kinds: []core.Description{echo}, Host: runHost, Engine: engine, Patience: patience(),
			Store: func(core.StoreAccess) (cli.Store, error) {
				return shelf{"results/a": "one\n", "results/b": "two\n"}, nil
			},
		}
		os.Exit(cli.Run(context.Background(), w, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}})
}

// patience is a minute, so that no slow machine loses a host that comes back,
// or what $PATIENCE says.
func patience() time.Duration {
	d, err := time.ParseDuration(os.Getenv("PATIENCE"))
	if err != nil {
		return time.Minute
	}
	return d
}

// engine is one that $ENGINE describes.
func engine(context.Context) (string, error) {
	if why := os.Getenv("ENGINE"); why != "" {
		return "", core.Errorf(core.HostLost, "no engine answers: %s", why)
	}
	return "27.1, API 1.46", nil
}

// echo is the one kind of these tests.
var echo = core.Description{
	Kind: "Echo", Version: "1", Summary: "says it again",
	Schema: []byte(`{"type": "object", "additionalProperties": false, "required": ["text"],
		"properties": {"text": {"type": "string"}, "file": {"type": "string"}}}`),
	Example: "apiVersion: capstan/v1\nkind: Echo\nmetadata: {name: ok}\ngang: {size: 1}\nspec: {text: hello}   # what to say\n\n",
	Ships:   []string{"file"},
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: false,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("CAPSTAN_STATE", e.WorkDir+"/state")
			e.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":  code,
			"await": await,
		},
	})
}

// code runs capstan and holds its exit code: code N args...
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N args...")
	}
	err := ts.Exec("capstan", args[1:]...)
	got := "exit status 0"
	if err != nil {
		got = err.Error()
	}
	if want := "exit status " + args[0]; got != want {
		ts.Fatalf("capstan %s: %s, not %s\n%s", strings.Join(args[1:], " "), got, want, ts.ReadFile("stderr"))
	}
}

// await waits until a file is there.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	if !appears(ts.MkAbs(args[0]), nil) {
		ts.Fatalf("%s does not appear", args[0])
	}
}

// appears polls for a file until stop closes, or for a minute.
func appears(path string, stop <-chan struct{}) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); ; {
		if _, err := os.Stat(path); err == nil {
			return true
		}
		select {
		case <-tick.C:
		case <-late:
			return false
		case <-stop:
			return false
		}
	}
}

// shelf is a store of a few objects.
type shelf map[string]string

func (s shelf) List(_ context.Context, prefix string, each func(string, int64, time.Time) error) error {
	if !strings.HasPrefix(prefix, "results/") {
		return core.Errorf(core.NotFound, "no bucket").At(prefix)
	}
	for _, path := range []string{"results/a", "results/b"} {
		if strings.HasPrefix(path, prefix) {
			if err := each(path, int64(len(s[path])), time.Unix(0, 0)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s shelf) Get(_ context.Context, path string, w io.Writer) error {
	text, ok := s[path]
	if !ok {
		return core.Errorf(core.NotFound, "no object").At("s3://" + path)
	}
	_, err := io.WriteString(w, text)
	return err
}

func (s shelf) Put(_ context.Context, path string, r io.Reader, size int64) error {
	b, err := io.ReadAll(r)
	if err == nil && size >= 0 && int64(len(b)) != size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (s shelf) Result(_ context.Context, url string, w io.Writer) error {
	return s.Get(context.Background(), strings.TrimPrefix(url, "s3://"), w)
}
