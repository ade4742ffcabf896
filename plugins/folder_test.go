package plugins

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor"
	"github.com/capstan-run/capstan/core/executor/wirepb"
	"github.com/capstan-run/capstan/core/unixsock"
)

// buildPi builds the example module as a third party would, in a folder of its
// own that only knows where Capstan lies. It is built once for all tests.
var buildPi = sync.OnceValues(func() (binary []byte, err error) {
	dir, err := os.MkdirTemp("", "pi-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	root, err := filepath.Abs("..")
	if err != nil {
		return nil, err
	}
	for name, from := range map[string]string{
		"go.mod": "examples/pi/go.mod", "main.go": "examples/pi/main.go", "go.sum": "../go.sum",
	} {
		data, err := os.ReadFile(from)
		if err != nil {
			return nil, err
		}
		data = bytes.ReplaceAll(data, []byte("=> ../../.."), []byte("=> "+root))
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command("go", "build", "-mod=mod", "-o", "pi", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the example: %w\n%s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "pi"))
})

// folder is a plugin folder with the example in it.
func folder(t *testing.T) Config {
	t.Helper()
	dir := t.TempDir()
	binary, err := buildPi()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pi"), binary, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "README"), []byte("no plugin"), 0o644); err != nil {
		t.Fatal(err)
	}
	return Config{Dir: dir, Pins: filepath.Join(t.TempDir(), "pins.json")}
}

func discovered(t *testing.T, c Config) *Supervisor {
	t.Helper()
	s := supervise(t, c)
	if err := s.Discover(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func piJob(terms string) *core.Job {
	return &core.Job{ID: "pi", Spec: core.Spec{Kind: "Pi", Body: json.RawMessage(`{"terms":` + terms + `}`), Gang: core.Gang{Size: 2}}}
}

// TestThirdParty builds a framework in a module of its own, drops it into the
// plugin folder, and runs a job of it: coordinator in a plugin process,
// workers as executors started from the same binary.
func TestThirdParty(t *testing.T) {
	c := folder(t)
	s := discovered(t, c)
	pi := s.List()[1]
	if pi.Name != "pi" || pi.Pin != PinPinned || pi.State != StateReady || pi.Message != "trusted on first use" || len(pi.SHA256) != 64 {
		t.Errorf("list shows %+v", pi)
	}
	if info, err := os.Stat(c.Pins); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("pins: %v %v", info.Mode(), err)
	}
	if _, err := s.Plan(t.Context(), piJob("1")); core.KindOf(err) != core.Invalid || len(core.AsError(err).Diagnostics) != 1 {
		t.Errorf("a bad spec answers %v", err)
	}
	path, sum, err := s.Binary("Pi")
	if err != nil || sum != pi.SHA256 {
		t.Fatalf("binary %s %s %v", path, sum, err)
	}
	h := newGangHost(t, path)
	report, err := s.Run(t.Context(), "Pi", &core.Attempt{Job: piJob("1000000"), Epoch: 1, Generation: 1}, h)
	if err != nil || report.Preview.Rows[0][0][:6] != "3.1415" {
		t.Errorf("report %+v, %v", report, err)
	}
}

func TestChangedBinaryIsRefused(t *testing.T) {
	c := folder(t)
	s := discovered(t, c)
	if _, err := s.Plan(t.Context(), piJob("100")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(c.Dir, "pi")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The running process keeps the old file; a new one takes its name.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, 0), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context(), "Pi", &core.Attempt{Job: piJob("100"), Epoch: 1}, newFakeHost()); core.KindOf(err) != core.Denied {
		t.Errorf("an attempt with a changed binary answers %v", err)
	}
	again := discovered(t, c)
	if pi := again.List()[1]; pi.State != StateRefused || pi.Pin != PinMismatch {
		t.Errorf("list shows %+v", pi)
	}
	if _, err := again.Plan(t.Context(), piJob("100")); core.KindOf(err) != core.Denied ||
		!strings.Contains(err.Error(), "plugin pi serves kind Pi but is refused: plugin pi changed") || !strings.Contains(core.AsError(err).Remedy, "--accept pi") {
		t.Errorf("a job of a refused plugin answers %v", err)
	}
	if kinds := again.Kinds(); len(kinds) != 2 || kinds[1].Kind != "Pi" || kinds[1].Schema != nil {
		t.Errorf("the kinds are %+v", kinds)
	}
	if _, err := again.Verify(t.Context(), "pi", false); core.KindOf(err) != core.Denied {
		t.Errorf("verify answers %v", err)
	}
	if info, err := again.Verify(t.Context(), "pi", true); err != nil || info.Pin != PinPinned || info.State != StateReady {
		t.Fatalf("verify --accept: %+v, %v", info, err)
	}
	if _, err := again.Plan(t.Context(), piJob("100")); err != nil {
		t.Errorf("after accepting: %v", err)
	}
}

// A plugin that stops to say what it serves is still known by its kinds, and
// one that was mended serves again without anybody's doing.
func TestBrokenPluginIsKnown(t *testing.T) {
	c := folder(t)
	discovered(t, c).Close()
	path := filepath.Join(c.Dir, "pi")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(text []byte) {
		t.Helper()
		if err := errors.Join(os.Remove(path), os.WriteFile(path, text, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	replace([]byte("#!/bin/sh\necho I am no plugin >&2\nexit 3\n"))
	s := discovered(t, c)
	if _, err := s.Verify(t.Context(), "pi", true); core.KindOf(err) != core.Denied {
		t.Fatalf("verify --accept: %v", err)
	}
	_, err = s.Plan(t.Context(), piJob("100"))
	if core.KindOf(err) != core.Denied || !strings.Contains(err.Error(), "plugin pi serves kind Pi but is broken") ||
		!strings.Contains(core.AsError(err).Detail, "crash 2 of 2, at ") {
		t.Errorf("a job of a broken plugin answers %v\n%s", err, core.AsError(err).Detail)
	}
	_, err = s.Plan(t.Context(), piJob("100"))
	if core.KindOf(err) != core.Denied || !strings.Contains(err.Error(), "plugin pi serves kind Pi but is held: it crashed 3 times") {
		t.Errorf("after the third crash: %v", err)
	}
	replace(good)
	if _, err := s.Verify(t.Context(), "pi", true); err != nil {
		t.Fatal(err)
	}
	replace([]byte("#!/bin/sh\n"))
	if err := s.Discover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Plan(t.Context(), piJob("100")); core.KindOf(err) != core.Denied {
		t.Errorf("another binary: %v", err)
	}
	replace(good)
	if _, err := s.Plan(t.Context(), piJob("100")); err != nil {
		t.Errorf("the old binary is back: %v", err)
	}
}

func TestWritableByAllIsRefused(t *testing.T) {
	c := Config{Dir: t.TempDir(), Pins: filepath.Join(t.TempDir(), "pins.json")}
	path := filepath.Join(c.Dir, "p")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o757); err != nil {
		t.Fatal(err)
	}
	s := discovered(t, c)
	if p := s.List()[1]; p.State != StateRefused || !strings.Contains(p.Message, "chmod o-w") {
		t.Errorf("list shows %+v", p)
	}
}

// What is put into the folder of a supervisor at work is found by its name, and
// a half of it is not what is pinned.
func TestNotice(t *testing.T) {
	c := folder(t)
	path := filepath.Join(c.Dir, "pi")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s := discovered(t, c)
	for _, text := range [][]byte{whole[:len(whole)/2], whole} {
		if err := os.WriteFile(path, text, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := s.Notice(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(s.List()); n != 2 {
			t.Fatalf("%d plugins are listed", n)
		}
		if v, pinned := s.pins.get("pi"); pinned {
			t.Errorf("half a binary is pinned: %+v", v)
		}
	}
	if info, err := s.Verify(t.Context(), "pi", false); err != nil || info.Pin != PinPinned {
		t.Fatalf("the whole binary: %+v, %v", info, err)
	}
	if _, err := s.Plan(t.Context(), piJob("100")); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir, "again"), whole, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.Notice(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l := s.List(); len(l) != 3 || l[2].Name != "again" || l[2].State != StateReady || l[2].Pin != PinPinned {
		t.Errorf("list shows %+v", l)
	}
}

func TestNoPlugin(t *testing.T) {
	c := Config{Dir: t.TempDir(), Pins: filepath.Join(t.TempDir(), "pins.json")}
	if err := os.WriteFile(filepath.Join(c.Dir, "p"), []byte("#!/bin/sh\necho I am no plugin >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := discovered(t, c)
	p := s.List()[1]
	if p.State != StateBroken || !strings.Contains(p.Message, "exit status") || !strings.Contains(p.Stacks, "crash 1 of 1") {
		t.Errorf("list shows %+v", p)
	}
	if err := os.Remove(filepath.Join(c.Dir, "p")); err != nil {
		t.Fatal(err)
	}
	if err := s.Discover(t.Context()); err != nil || len(s.List()) != 1 {
		t.Errorf("a removed plugin is listed: %+v %v", s.List(), err)
	}
}

// gangHost is a core.Host whose gang is real executor processes.
type gangHost struct {
	*fakeHost
	t      *testing.T
	binary string
	server *executor.Server
	dir    string
	ca     *executor.CA
	joined chan string
}

func newGangHost(t *testing.T, binary string) *gangHost {
	t.Helper()
	ca, err := executor.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	h := &gangHost{fakeHost: newFakeHost(), t: t, binary: binary, dir: t.TempDir(), ca: ca, joined: make(chan string, 2)}
	if h.server, err = executor.NewServer(executor.Config{CA: ca}, ears{h}); err != nil {
		t.Fatal(err)
	}
	l, err := unixsock.Listen(filepath.Join(h.dir, "host.sock"))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- h.server.Serve(l) }()
	t.Cleanup(func() { h.server.Close(); <-served })
	return h
}

func (h *gangHost) WantGang(a core.GangAsk) error {
	for rank := range a.Size {
		id, token := string(rune('a'+rank)), executor.NewToken()
		err := h.server.Expect(id, token, &wirepb.Assignment{
			Job: "pi", Epoch: 1, Gang: a.Name, Rank: int32(rank), Size: int32(a.Size), Kind: "Pi", Spec: []byte(`{}`),
		})
		if err != nil {
			return err
		}
		path := filepath.Join(h.dir, id+".json")
		boot := executor.Bootstrap{ID: id, Address: "unix:host.sock", Shared: h.dir, CA: string(h.ca.CertPEM()), Token: token}
		if err := boot.Write(path); err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(h.t.Context())
		cmd := exec.CommandContext(ctx, h.binary, "executor")
		cmd.Env = []string{executor.BootstrapEnv + "=" + path}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			cancel()
			return err
		}
		h.t.Cleanup(func() { cancel(); _ = cmd.Wait() }) // it is killed
	}
	for range a.Size {
		<-h.joined
	}
	for rank := range a.Size {
		if err := h.server.Start(string(rune('a' + rank))); err != nil {
			return err
		}
	}
	h.events <- core.GangUp{Gang: a.Name, Size: a.Size}
	return nil
}

func (h *gangHost) Send(_ string, rank int, msg []byte) error {
	return h.server.Send(string(rune('a'+rank)), 1, msg)
}

// ears is the executor.Handler of a gangHost.
type ears struct{ *gangHost }

func (h ears) Joined(id string, _ core.Rank, _ bool) { h.joined <- id }
func (h ears) Message(id string, _ int64, data []byte) {
	h.events <- core.Message{Gang: "main", Rank: int(id[0] - 'a'), Data: data}
}
func (h ears) Log(string, time.Time, string)            {}
func (h ears) Beat(string, time.Duration, core.Bytes)   {}
func (h ears) Silent(string, time.Duration)             {}
func (h ears) Ended(string, *core.Error, time.Duration) {}
func (h ears) Closed(string, error)                     {}
