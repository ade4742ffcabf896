package launchtest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
)

// An executor finds what it was promised: environment, shared and scratch
// directories, files, read-only paths.
func testSurroundings(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	data := readable(t)
	e := g.Executor("r0")
	e.Files = map[string]string{"a.txt": filepath.Join(data, "in.txt")}
	e.ReadOnly = []string{data, data}
	e.Init = append(e.Init, "and", "arguments")
	other := g.Executor("r1")
	start(t, f.l, e, other)
	a := g.Agent("r0")
	env := a.Hello.Env
	if got := strings.Join(a.Hello.Args[1:], " "); got != "and arguments" {
		t.Errorf("arguments: %q", got)
	}
	uid, _ := f.l.(launch.Owner).Owner()
	if a.Hello.UID != uid {
		t.Errorf("runs as %d, not %d", a.Hello.UID, uid)
	}
	for path, want := range map[string]string{
		env[launch.EnvBootstrap]:                     "boot of r0",
		filepath.Join(env[launch.EnvFiles], "a.txt"): "input",
		filepath.Join(data, "in.txt"):                "input",
	} {
		if got, err := a.Do("read", path); err != nil || got != want {
			t.Errorf("read %s: %q, %v", path, got, err)
		}
	}
	for _, path := range []string{
		filepath.Join(env[launch.EnvShared], "from r0"),
		filepath.Join(env[launch.EnvShm], "from r0"),
		filepath.Join(env[launch.EnvScratch], "mine"),
		filepath.Join(env["TMPDIR"], "mine"),
	} {
		if _, err := a.Do("write", path, "words"); err != nil {
			t.Error(err)
		}
	}
	b := g.Agent("r1")
	if got, err := b.Do("read", filepath.Join(b.Hello.Env[launch.EnvShared], "from r0")); err != nil || got != "words" {
		t.Errorf("the gang's directory is not shared: %q, %v", got, err)
	}
	if got, err := b.Do("read", filepath.Join(b.Hello.Env[launch.EnvShm], "from r0")); err != nil || got != "words" {
		t.Errorf("the gang's shared memory is not shared: %q, %v", got, err)
	}
	if _, err := b.Do("read", filepath.Join(b.Hello.Env[launch.EnvScratch], "mine")); err == nil {
		t.Error("the scratch directory is shared")
	}
	if env["GOMEMLIMIT"] == "" || env[launch.EnvExecutor] != f.instance+"/r0" {
		t.Errorf("environment: %v", env)
	}
	if !f.Contained {
		return
	}
	if text, err := a.Do("nofile"); err != nil {
		t.Error(err)
	} else if n, err := strconv.Atoi(text); err != nil || n < 1024 || n > 65536 {
		t.Errorf("open files: %s, %v", text, err)
	}
	for _, path := range []string{filepath.Join(data, "in.txt"), filepath.Join(data, "new"), filepath.Join(env[launch.EnvFiles], "a.txt")} {
		if _, err := a.Do("write", path, "spoiled"); err == nil {
			t.Errorf("wrote %s", path)
		}
	}
}

// readable is a directory any user can read, with one file.
func readable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil { // only the mount keeps writers out
		t.Fatal(err)
	}
	file := filepath.Join(dir, "in.txt")
	if err := os.WriteFile(file, []byte("input"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

func testOutOfMemory(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	e := g.Executor("r0")
	e.Memory = 64 << 20
	start(t, f.l, e)
	g.Agent("r0").Last("alloc", "268435456")
	x := Await(t, f.l)
	if !x.OOM || x.Code != 137 || x.Reason != "out of memory (limit 64Mi)" {
		t.Errorf("end: %+v", x)
	}
	if s := f.list(t)["r0"]; !s.Exit.OOM {
		t.Errorf("List shows %+v", s)
	}
}

// A hostile executor writes nowhere, reaches no network, gains no right.
func testHostile(t *testing.T, f *fixture) {
	g := NewGang(t, f.l)
	e := g.Executor("r0")
	e.Userland = true
	start(t, f.l, e)
	a := g.Agent("r0")
	for _, path := range []string{
		"/x", "/etc/passwd", "/etc/x", "/usr/x", "/usr/bin/x", "/capstan/x", launch.BinaryPath,
		launch.FilesPath + "/x", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/x", "/dev/x", "/var/tmp/x",
	} {
		if _, err := a.Do("write", path, "x"); err == nil {
			t.Errorf("wrote %s", path)
		}
	}
	for _, path := range []string{"/var/run/docker.sock", "/run/docker.sock", "/root", "/home", "/dev/sda", "/dev/vda", "/dev/mem", "/etc/shadow"} {
		if _, err := a.Do("stat", path); err == nil {
			t.Errorf("%s is to be seen", path)
		}
	}
	for _, address := range []string{"127.0.0.1:22", "172.17.0.1:80", "192.0.2.1:80", "169.254.169.254:80"} {
		if _, err := a.Do("dial", address); err == nil {
			t.Errorf("dialled %s", address)
		}
	}
	if _, err := a.Do("setuid"); err == nil {
		t.Error("became root")
	}
	if _, err := a.Do("mount", "/tmp"); err == nil {
		t.Error("mounted")
	}
	status, err := a.Do("read", "/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2",
	} {
		if !strings.Contains(status, want+"\n") {
			t.Errorf("its status lacks %q", want)
		}
	}
	if a.Hello.UID == 0 {
		t.Error("runs as root")
	}
	net, err := a.Do("read", "/proc/net/dev")
	if err != nil || strings.Contains(net, "eth") {
		t.Errorf("devices: %s, %v", net, err)
	}
}

// What an executor writes into a volume is there for the next one, and outlives
// both.
func testVolumes(t *testing.T, f *fixture) {
	dir := t.TempDir()
	uid, gid := f.l.(launch.Owner).Owner()
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	g := NewGang(t, f.l)
	for _, turn := range []struct{ id, has string }{{"r0", ""}, {"r1", "r0"}} {
		e := g.Executor(turn.id)
		e.Volumes = []launch.Volume{{Dir: dir, Path: "/data", Env: "VOLUME_DATA"}}
		start(t, f.l, e)
		a := g.Agent(turn.id)
		where := a.Hello.Env["VOLUME_DATA"]
		if f.Contained && where != "/data" || !f.Contained && where != dir {
			t.Errorf("the volume is at %q", where)
		}
		file := filepath.Join(where, "who")
		if got, _ := a.Do("read", file); got != turn.has {
			t.Errorf("%s finds %q, want %q", turn.id, got, turn.has)
		}
		if _, err := a.Do("write", file, turn.id); err != nil {
			t.Error(err)
		}
		stop(t, f.l, e)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "who")); string(b) != "r1" {
		t.Errorf("the volume holds %q, %v", b, err)
	}
	bad := g.Executor("r2")
	bad.Volumes = []launch.Volume{{Dir: dir, Path: "data"}}
	if err := f.l.Start(t.Context(), []launch.Executor{bad}); core.KindOf(err) != core.Invalid {
		t.Errorf("a volume at a relative path: %v", err)
	}
}
