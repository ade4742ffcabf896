package launchtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/binary"
)

// patience bounds every wait for an event: passing it is a failure.
const patience = 60 * time.Second

// Gang is a shared directory with a socket the agents dial.
type Gang struct {
	t        *testing.T
	Shared   string
	Shm      string // in shared memory
	listener net.Listener

	mu     sync.Mutex
	here   map[string]*Agent
	change chan struct{} // closed and replaced when somebody arrives
}

// Agent is a started agent's end of the line.
type Agent struct {
	Hello hello
	t     *testing.T
	conn  net.Conn
	enc   *json.Encoder
	dec   *json.Decoder
}

// NewGang makes the directory, owned by who the launcher's executors run as.
// The caller's test ends with the directory gone.
func NewGang(t *testing.T, l launch.Launcher) *Gang {
	t.Helper()
	// Not t.TempDir: a socket's path is at most 107 bytes.
	dir, err := os.MkdirTemp("", "gang")
	if err != nil {
		t.Fatal(err)
	}
	shm, err := os.MkdirTemp("/dev/shm", "gang")
	if err != nil {
		t.Fatal(err)
	}
	g := &Gang{t: t, Shared: dir, Shm: shm, here: map[string]*Agent{}, change: make(chan struct{})}
	if o, ok := l.(launch.Owner); ok {
		uid, gid := o.Owner()
		if err := errors.Join(os.Chown(dir, uid, gid), os.Chown(shm, uid, gid)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, socket)
	if g.listener, err = net.Listen("unix", path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(g.accept)
	t.Cleanup(func() {
		g.listener.Close()
		accepting.Wait()
		for _, a := range g.here {
			a.conn.Close()
		}
		if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(shm)); err != nil {
			t.Error(err)
		}
	})
	return g
}

func (g *Gang) accept() {
	var greeting sync.WaitGroup
	defer greeting.Wait()
	for {
		conn, err := g.listener.Accept()
		if err != nil {
			return
		}
		greeting.Go(func() { g.greet(conn) })
	}
}

func (g *Gang) greet(conn net.Conn) {
	a := &Agent{t: g.t, conn: conn, enc: json.NewEncoder(conn), dec: json.NewDecoder(conn)}
	conn.SetDeadline(time.Now().Add(patience))
	if err := a.dec.Decode(&a.Hello); err != nil {
		conn.Close()
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.here[a.Hello.Name] = a
	close(g.change)
	g.change = make(chan struct{})
}

// Agent waits until the agent of that name has dialled.
func (g *Gang) Agent(name string) *Agent {
	g.t.Helper()
	late := time.After(patience)
	for {
		g.mu.Lock()
		a, change := g.here[name], g.change
		g.mu.Unlock()
		if a != nil {
			return a
		}
		select {
		case <-change:
		case <-late:
			g.t.Fatalf("agent %s has not dialled", name)
		}
	}
}

// Executor is an agent to start in the gang.
func (g *Gang) Executor(id string) launch.Executor {
	boot := bootstrap + id
	if err := os.WriteFile(filepath.Join(g.Shared, boot), []byte("boot of "+id), 0o644); err != nil {
		g.t.Fatal(err)
	}
	return launch.Executor{
		ID:        id,
		Labels:    map[string]string{"job": "j", "epoch": "1", "gang": "main", "rank": id},
		CPU:       500,
		Memory:    128 << 20,
		Userland:  !Static(),
		Init:      []string{agentArg},
		Shared:    g.Shared,
		Shm:       g.Shm,
		Bootstrap: boot,
	}
}

// Executors is n agents named <prefix>0 and so on.
func (g *Gang) Executors(prefix string, n int) []launch.Executor {
	set := make([]launch.Executor, n)
	for i := range set {
		set[i] = g.Executor(fmt.Sprintf("%s%d", prefix, i))
	}
	return set
}

// Do has the agent carry out a command and returns its answer; err is the
// command's own fault.
func (a *Agent) Do(op string, args ...string) (string, error) {
	a.t.Helper()
	a.conn.SetDeadline(time.Now().Add(patience))
	if err := a.enc.Encode(command{op, args}); err != nil {
		a.t.Fatalf("agent %s: %s: %v", a.Hello.Name, op, err)
	}
	var r answer
	if err := a.dec.Decode(&r); err != nil {
		a.t.Fatalf("agent %s: %s: %v", a.Hello.Name, op, err)
	}
	if r.Err != "" {
		return r.Text, fmt.Errorf("%s", r.Err)
	}
	return r.Text, nil
}

// Last has the agent carry out a command it does not survive, and returns when
// it is dead.
func (a *Agent) Last(op string, args ...string) {
	a.t.Helper()
	if err := a.enc.Encode(command{op, args}); err != nil {
		a.t.Fatalf("agent %s: %s: %v", a.Hello.Name, op, err)
	}
	a.Gone()
}

// Gone waits until the agent is dead.
func (a *Agent) Gone() {
	a.t.Helper()
	a.conn.SetDeadline(time.Now().Add(patience))
	var r answer
	if err := a.dec.Decode(&r); err == nil {
		a.t.Fatalf("agent %s lives and says %+v", a.Hello.Name, r)
	} else if os.IsTimeout(err) {
		a.t.Fatalf("agent %s lives", a.Hello.Name)
	}
}

// Static reports whether this test binary runs without a dynamic linker.
func Static() bool { return binary.Interpreter("") == "" }

// Await returns the next end, which must come in time.
func Await(t *testing.T, l launch.Launcher) launch.Exit {
	t.Helper()
	select {
	case x, ok := <-l.Exits():
		if !ok {
			t.Fatal("Exits is closed")
		}
		return x
	case <-time.After(patience):
		t.Fatal("no end was delivered")
	}
	panic("unreachable")
}

// start starts set and registers its end.
func start(t *testing.T, l launch.Launcher, set ...launch.Executor) {
	t.Helper()
	if err := l.Start(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, l, set...) })
}

func stop(t *testing.T, l launch.Launcher, set ...launch.Executor) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ids := make([]string, len(set))
	for i := range set {
		ids[i] = set[i].ID
	}
	if err := l.Stop(ctx, ids...); err != nil {
		t.Error(err)
	}
}
