package docker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/docker"
	"github.com/capstan-run/capstan/core/launch/launchtest"
)

// bench is one launcher with its engine, cleaned up and checked at the end.
type bench struct {
	t        *testing.T
	l        *docker.Launcher
	instance string
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, instance: launchtest.Instance()}
	engine := dial(t)
	b.l = open(t, t.TempDir(), b.instance)
	t.Cleanup(func() {
		b.l.Close()
		if left := leftovers(t, engine, b.instance); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	return b
}

func (b *bench) start(set ...launch.Executor) {
	b.t.Helper()
	if err := b.l.Start(b.t.Context(), set); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		for _, e := range set {
			if err := b.l.Stop(context.Background(), e.ID); err != nil {
				b.t.Error(err)
			}
		}
	})
}

func (b *bench) container(id string) string { return "capstan-" + b.instance + "-" + id }

// What the engine was told is what the executor asked for (law D1).
func TestLimits(t *testing.T) {
	b := newBench(t)
	g := launchtest.NewGang(t, b.l)
	e := g.Executor("r0")
	e.CPU, e.Memory, e.PIDs = 1500, 256<<20, 77
	b.start(e)
	g.Agent("r0")
	c, err := dial(t).ContainerInspect(t.Context(), b.container("r0"))
	if err != nil {
		t.Fatal(err)
	}
	h := c.HostConfig
	if h.NanoCPUs != 1.5e9 || h.Memory != 256<<20 || h.MemorySwap != 256<<20 || h.PidsLimit == nil || *h.PidsLimit != 77 {
		t.Errorf("limits: %+v", h.Resources)
	}
	if !slices.ContainsFunc(h.Ulimits, func(u *container.Ulimit) bool { return u.Name == "nofile" && u.Hard >= 1024 && u.Hard <= 65536 }) {
		t.Errorf("ulimits: %+v", h.Ulimits)
	}
	if !h.ReadonlyRootfs || !slices.Equal([]string(h.CapDrop), []string{"ALL"}) || len(h.CapAdd) > 0 || h.Privileged ||
		!slices.Contains(h.SecurityOpt, "no-new-privileges:true") || h.NetworkMode != "none" || h.AutoRemove {
		t.Errorf("walls: %+v", h)
	}
	if h.LogConfig.Config["max-size"] == "" {
		t.Errorf("the log has no bound: %+v", h.LogConfig)
	}
	if c.Config.Labels[launch.LabelInstance] != b.instance || c.Config.Labels[launch.LabelExecutor] != "r0" {
		t.Errorf("labels: %v", c.Config.Labels)
	}
}

// A read-only path may not cover what the walls stand on, nor hold the
// engine's socket.
func TestRefusedMounts(t *testing.T) {
	b := newBench(t)
	g := launchtest.NewGang(t, b.l)
	private := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]core.ErrKind{
		"/": core.Invalid, "/proc": core.Invalid, "/proc/sys": core.Invalid, "/sys": core.Invalid, "/dev": core.Invalid,
		"/var/run": core.Denied, "/run/docker.sock": core.Denied,
	}
	if os.Getuid() == 0 { // otherwise the executors are who we are
		kinds[private] = core.Denied
	}
	for path, want := range kinds {
		e := g.Executor("r0")
		e.ReadOnly = []string{path}
		if err := b.l.Start(t.Context(), []launch.Executor{e}); core.KindOf(err) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// The machine's own programs work in image "host".
// A program that the built-in image has no linker for is refused in words.
func TestInitThatNeedsALinker(t *testing.T) {
	b := newBench(t)
	e := launchtest.NewGang(t, b.l).Executor("r0")
	e.Binary, e.Userland = "/bin/sh", false
	err := b.l.Start(t.Context(), []launch.Executor{e})
	if x := core.AsError(err); core.KindOf(err) != core.Invalid || !strings.Contains(x.What, "/bin/sh cannot start in the built-in image: it needs /") ||
		!strings.Contains(x.Remedy, "CGO_ENABLED=0") || !strings.Contains(x.Where, "executor r0 on node") {
		t.Errorf("start: %v", err)
	}
}

func TestUserland(t *testing.T) {
	b := newBench(t)
	g := launchtest.NewGang(t, b.l)
	e := g.Executor("r0")
	e.Image = "host"
	e.ReadOnly = []string{"/usr/share"} // within what is shown already
	b.start(e)
	a := g.Agent("r0")
	for _, c := range [][]string{
		{"echo 5", "awk", "BEGIN { print \"echo 5\" }"},
		{"8", "sh", "-c", "printf 'a b' | tr -d ' ' | wc -c | awk '{print $1 + 6}'"},
		{"b\na", "sh", "-c", "printf 'a\\nb\\n' | sort -r"},
	} {
		if out, err := a.Do("run", c[1:]...); err != nil || strings.TrimSpace(out) != c[0] {
			t.Errorf("%v: %q, %v", c[1:], out, err)
		}
	}
	if _, err := os.Stat("/usr/bin/python3"); err == nil {
		if out, err := a.Do("run", "python3", "-c", "import json, ssl; print(6 * 7)"); err != nil || strings.TrimSpace(out) != "42" {
			t.Errorf("python3: %q, %v", out, err)
		}
	}
}

// A user's image gets our binary as its first process and keeps its files.
func TestUserImage(t *testing.T) {
	b := newBench(t)
	if !launchtest.Static() {
		t.Skip("this test binary needs a dynamic linker, which the image has not")
	}
	engine := dial(t)
	ref := "capstan-test/" + b.instance + ":1"
	answer, err := engine.ImageImport(t.Context(), image.ImportSource{Source: tarWith(t, "opt/data.txt", "of the image"), SourceName: "-"}, ref,
		image.ImportOptions{Changes: []string{"ENTRYPOINT [\"/none\"]", "ENV OF=image", "VOLUME /vol", "USER root"}})
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, answer)
	answer.Close()
	t.Cleanup(func() {
		if _, err := engine.ImageRemove(context.Background(), ref, image.RemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	})
	g := launchtest.NewGang(t, b.l)
	e := g.Executor("r0")
	e.Image = ref
	b.start(e)
	a := g.Agent("r0")
	if text, err := a.Do("read", "/opt/data.txt"); err != nil || text != "of the image" {
		t.Errorf("its file: %q, %v", text, err)
	}
	if a.Hello.Env["OF"] != "image" || a.Hello.UID == 0 {
		t.Errorf("its agent: %+v", a.Hello)
	}
	c, err := engine.ContainerInspect(t.Context(), b.container("r0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.l.Stop(t.Context(), "r0"); err != nil {
		t.Fatal(err)
	}
	for _, m := range c.Mounts {
		if m.Type == "volume" {
			if _, err := engine.VolumeInspect(t.Context(), m.Name); err == nil {
				t.Errorf("volume %s is left", m.Name)
			}
		}
	}
}

// Ranks on the gang's network reach each other by name and nobody else; the
// network goes with the last of them.
func TestNetwork(t *testing.T) {
	b := newBench(t)
	engine := dial(t)
	g := launchtest.NewGang(t, b.l)
	set := g.Executors("r", 3)
	set[0].Network, set[1].Network = "main", "main"
	set[2].Network = "other"
	b.start(set...)
	address, err := g.Agent("r0").Do("listen", ":7000")
	if err != nil {
		t.Fatal(err, address)
	}
	if _, err := g.Agent("r1").Do("dial", "r0:7000"); err != nil {
		t.Errorf("its neighbour: %v", err)
	}
	if _, err := g.Agent("r2").Do("dial", "r0:7000"); err == nil {
		t.Error("a stranger reached it")
	}
	if _, err := g.Agent("r1").Do("dial", "192.0.2.1:80"); err == nil {
		t.Error("it reached the world")
	}
	if text, err := g.Agent("r1").Do("read", "/etc/resolv.conf"); err != nil || !strings.Contains(text, "timeout:1 attempts:2") {
		t.Errorf("a name that nobody has is asked for by %q, %v", text, err)
	}
	if n := networksOf(t, b.instance); n != 2 {
		t.Errorf("%d networks", n)
	}
	if err := b.l.Stop(t.Context(), "r0"); err != nil {
		t.Fatal(err)
	}
	if n := networksOf(t, b.instance); n != 2 {
		t.Errorf("%d networks with a rank left", n)
	}
	if err := b.l.Stop(t.Context(), "r1", "r2"); err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, engine, b.instance); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Executors with names reach each other by them, write their own hosts file, and
// cannot have a volume where the container lives.
func TestNames(t *testing.T) {
	b := newBench(t)
	g := launchtest.NewGang(t, b.l)
	set := g.Executors("r", 2)
	for i := range set {
		set[i].Network, set[i].Names = "main", []string{fmt.Sprintf("web-%d", i), "web"}
	}
	b.start(set...)
	one := g.Agent("r1")
	if address, err := one.Do("listen", ":7000"); err != nil {
		t.Fatal(err, address)
	}
	zero := g.Agent("r0")
	if _, err := zero.Do("dial", "web-1:7000"); err != nil {
		t.Error(err)
	}
	hosts := filepath.Join(zero.Hello.Env[launch.EnvScratch], launch.HostsFile)
	if _, err := zero.Do("write", hosts, "127.0.0.1 localhost elsewhere\n"); err != nil {
		t.Fatal(err)
	}
	if text, err := zero.Do("read", "/etc/hosts"); err != nil || !strings.Contains(text, "elsewhere") {
		t.Errorf("/etc/hosts is %q, %v", text, err)
	}
	bad := g.Executor("r2")
	bad.Volumes = []launch.Volume{{Dir: t.TempDir(), Path: "/capstan"}}
	if err := b.l.Start(t.Context(), []launch.Executor{bad}); core.KindOf(err) != core.Invalid {
		t.Errorf("a volume over the container's own: %v", err)
	}
}

// A container removed behind our back is an end.
func TestRemovedByHand(t *testing.T) {
	b := newBench(t)
	g := launchtest.NewGang(t, b.l)
	b.start(g.Executor("r0"))
	g.Agent("r0")
	if err := dial(t).ContainerRemove(t.Context(), b.container("r0"), container.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if x := launchtest.Await(t, b.l); x.ID != "r0" || x.Code != 137 {
		t.Errorf("end: %+v", x)
	}
}

// The built-in image is made once and made again when somebody pruned it.
func TestImagePruned(t *testing.T) {
	b := newBench(t)
	g := launchtest.NewGang(t, b.l)
	b.start(g.Executor("r0"))
	c, err := dial(t).ContainerInspect(t.Context(), b.container("r0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.l.Stop(t.Context(), "r0"); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t).ImageRemove(t.Context(), c.Config.Image, image.RemoveOptions{Force: true}); err != nil {
		t.Skipf("somebody else uses the image now: %v", err)
	}
	b.start(g.Executor("r1"))
	g.Agent("r1")
	list, err := dial(t).ImageList(t.Context(), image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "capstan.base"))})
	if err != nil || len(list) == 0 {
		t.Errorf("images: %v, %v", list, err)
	}
}

// Where nothing answers, New says so in words fit for a user, in time.
func TestVersion(t *testing.T) {
	open(t, t.TempDir(), launchtest.Instance()).Close() // skips where no engine answers
	if v, err := docker.Version(t.Context(), ""); err != nil || !strings.Contains(v, ", API 1.") {
		t.Errorf("version %q, %v", v, err)
	}
	v, err := docker.Version(t.Context(), "unix:///nowhere/docker.sock")
	if !errors.Is(err, launch.ErrNoEngine) || core.AsError(err).Remedy == "" {
		t.Errorf("version %q, %v", v, err)
	}
}

func TestNoEngine(t *testing.T) {
	silent, err := net.Listen("unix", filepath.Join(t.TempDir(), "silent.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, endpoint := range []string{"unix:///no/such/docker.sock", "tcp://127.0.0.1:1", "unix://" + silent.Addr().String()} {
		_, err := docker.New(t.Context(), docker.Config{StateDir: t.TempDir(), Instance: "x", Endpoint: endpoint})
		if !errors.Is(err, launch.ErrNoEngine) || !strings.Contains(err.Error(), "no Docker engine answers at "+endpoint) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
	if _, err := docker.New(t.Context(), docker.Config{StateDir: "relative", Instance: "x"}); core.KindOf(err) != core.Invalid {
		t.Errorf("relative state directory: %v", err)
	}
	if _, err := docker.New(t.Context(), docker.Config{StateDir: "/x", Instance: "a/b"}); core.KindOf(err) != core.Invalid {
		t.Errorf("instance that is a path: %v", err)
	}
}

// proxy stands between a launcher and the engine, and can be away.
type proxy struct {
	listener net.Listener
	mu       sync.Mutex
	away     bool
	conns    map[net.Conn]bool
	work     sync.WaitGroup
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "proxy.sock"))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, conns: map[net.Conn]bool{}}
	p.work.Go(p.serve)
	t.Cleanup(func() {
		l.Close()
		p.cut(true)
		p.work.Wait()
	})
	return p
}

func (p *proxy) endpoint() string { return "unix://" + p.listener.Addr().String() }

func (p *proxy) serve() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("unix", "/var/run/docker.sock")
		if err != nil || !p.keep(in, out) {
			in.Close()
			if out != nil {
				out.Close()
			}
			continue
		}
		p.work.Go(func() { io.Copy(out, in); out.Close() })
		p.work.Go(func() { io.Copy(in, out); in.Close() })
	}
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if !p.away {
			p.conns[c] = true
		}
	}
	return !p.away
}

// cut ends every connection; away refuses new ones from now on.
func (p *proxy) cut(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
	for c := range p.conns {
		c.Close()
		delete(p.conns, c)
	}
}

// An end while the engine cannot be reached is delivered once it can, and
// nothing is declared ended meanwhile (laws D4, D5).
func TestEngineAway(t *testing.T) {
	open(t, t.TempDir(), launchtest.Instance()).Close()
	p := newProxy(t)
	instance := launchtest.Instance()
	l, err := docker.New(t.Context(), docker.Config{StateDir: t.TempDir(), Instance: instance, Endpoint: p.endpoint()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g := launchtest.NewGang(t, l)
	set := g.Executors("r", 3)
	if err := l.Start(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	defer l.Stop(context.Background(), "r0", "r1", "r2")

	p.cut(false) // the events break off, and stand again at once
	g.Agent("r0").Last("exit", "5")
	if x := launchtest.Await(t, l); x.ID != "r0" || x.Code != 5 {
		t.Errorf("end around a break: %+v", x)
	}

	p.cut(true)
	g.Agent("r1").Last("exit", "6")
	if err := l.Start(t.Context(), []launch.Executor{g.Executor("r9")}); core.KindOf(err) != core.HostLost {
		t.Errorf("start without an engine: %v", err)
	}
	if err := dial(t).ContainerRemove(t.Context(), "capstan-"+instance+"-r2", container.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	select {
	case x := <-l.Exits():
		t.Errorf("end without an engine: %+v", x)
	default:
	}
	p.cut(false)
	ends := map[string]int{}
	for range 2 {
		x := launchtest.Await(t, l)
		ends[x.ID] = x.Code
	}
	if len(ends) != 2 || ends["r1"] != 6 || ends["r2"] != -1 {
		t.Errorf("ends after the engine's return: %v", ends)
	}
	// Leftovers of the start that could not reach the engine.
	if err := l.Stop(t.Context(), "r0", "r1", "r2", "r9"); err != nil {
		t.Error(err)
	}
	if left := leftovers(t, dial(t), instance); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
