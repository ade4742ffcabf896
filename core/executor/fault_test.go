package executor

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/unixsock"
)

// proxy passes connections to a socket and cuts them on demand.
type proxy struct {
	target string
	l      net.Listener
	wg     sync.WaitGroup
	mu     sync.Mutex
	conns  map[net.Conn]bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := unixsock.Listen(filepath.Join(t.TempDir(), "proxy.sock"))
	ok(t, err)
	p := &proxy{target: target, l: l, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		up, err := unixsock.Dial(context.Background(), p.target)
		if err != nil {
			c.Close()
			continue
		}
		p.mu.Lock()
		p.conns[c], p.conns[up] = true, true
		p.mu.Unlock()
		p.wg.Go(func() { p.copy(c, up) })
		p.wg.Go(func() { p.copy(up, c) })
	}
}

func (p *proxy) copy(to, from net.Conn) {
	_, _ = io.Copy(to, from) // it is cut sooner or later
	to.Close()
	from.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, to)
	delete(p.conns, from)
}

// cut breaks every connection wherever it is.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// TestFlakyLink sends numbers both ways through a proxy that is cut 50 times:
// each arrives once and in order (law E4).
func TestFlakyLink(t *testing.T) {
	const cuts, each = 50, 40
	h := newHost(t)
	p := newProxy(t, h.socket)
	token := NewToken()
	ok(t, h.Expect("a", token, assignment(0)))
	b := h.bootstrap("a", token)
	b.Address = "unix://" + p.l.Addr().String()
	done := launch(t, b, echo)
	ok(t, h.SetGeneration("a", 1))
	ok(t, h.Start("a"))
	n := 0
	for range cuts {
		// The sessions counted before are those that were cut; the cut comes
		// while numbers are under way.
		joined := len(h.of("joined"))
		h.wait(t, "joined", max(joined, 1))
		for range each {
			ok(t, h.Send("a", 1, fmt.Appendf(nil, "%d", n)))
			n++
		}
		h.wait(t, "message", n-each/2)
		p.cut()
	}
	got := h.wait(t, "message", n)
	for i, m := range got {
		if m.text != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, m.text)
		}
	}
	if joined := len(h.of("joined")); joined < cuts/2 {
		t.Errorf("only %d sessions: the link was not cut", joined)
	}
	ok(t, h.Send("a", 1, []byte("end")))
	h.wait(t, "ended", 1)
	ok(t, result(t, done))
	if extra := len(h.of("message")); extra != n {
		t.Errorf("%d messages, want %d", extra, n)
	}
}

// TestHostRestart: the executor finds the next host, keeps its worker, its
// logs and its place; messages do not cross (law E5).
func TestHostRestart(t *testing.T) {
	h := newHost(t)
	started := 0
	done := h.launch(t, "a", assignment(0), func(ctx context.Context, env *core.Env) error {
		started++
		return echo(ctx, env)
	})
	h.launch(t, "fenced", assignment(1), echo)
	ok(t, h.SetGeneration("a", 1))
	ok(t, h.Start("a"))
	ok(t, h.Send("a", 1, []byte("one")))
	h.wait(t, "message", 1)
	h.wait(t, "joined", 2)
	ok(t, h.Close())

	next, err := NewServer(Config{CA: h.ca, Heartbeat: testBeat}, newRecorder())
	ok(t, err)
	ok(t, next.Close()) // a server closed before it served
	h2 := &host{recorder: newRecorder(), ca: h.ca, socket: h.socket}
	h2.Server, err = NewServer(Config{CA: h.ca, Heartbeat: testBeat}, h2.recorder)
	ok(t, err)
	ok(t, h2.Restore("a", placeOf(assignment(0))))
	h2.Fence("fenced")
	ok(t, h2.SetGeneration("a", 2))
	ok(t, h2.Send("a", 2, []byte("two")))
	l, err := unixsock.Listen(h.socket)
	ok(t, err)
	h2.serve(t, l)

	if j := h2.wait(t, "joined", 1)[0]; j.id != "a" || !j.running || j.rank != placeOf(assignment(0)) {
		t.Errorf("joined the next host as %+v", j)
	}
	if m := h2.wait(t, "message", 1)[0]; m.text != "two" || m.generation != 2 {
		t.Errorf("got %+v", m)
	}
	ok(t, h2.Start("a")) // again, as a host does that cannot know
	ok(t, h2.Send("a", 2, []byte("end")))
	if e := h2.wait(t, "ended", 1)[0]; e.err != nil {
		t.Errorf("ended with %v", e.err)
	}
	ok(t, result(t, done))
	if started != 1 {
		t.Errorf("the worker ran %d times", started)
	}
	for _, j := range h2.of("joined") {
		if j.id != "a" {
			t.Errorf("%s joined", j.id)
		}
	}
}

// TestLastWordsReachTheNextHost: a worker that ended without a host tells the
// next one, with its log.
func TestLastWordsReachTheNextHost(t *testing.T) {
	h := newHost(t)
	cut := make(chan struct{})
	done := h.launch(t, "a", assignment(0), func(ctx context.Context, env *core.Env) error {
		<-cut
		env.Log.Info("the last line")
		return env.Send(ctx, []byte("for the old coordinator"))
	})
	ok(t, h.SetGeneration("a", 1))
	ok(t, h.Start("a"))
	h.wait(t, "beat", 2)
	ok(t, h.Close())
	close(cut)

	h2 := &host{recorder: newRecorder(), ca: h.ca, socket: h.socket}
	var err error
	h2.Server, err = NewServer(Config{CA: h.ca, Heartbeat: testBeat}, h2.recorder)
	ok(t, err)
	ok(t, h2.Restore("a", placeOf(assignment(0))))
	l, err := unixsock.Listen(h.socket)
	ok(t, err)
	h2.serve(t, l)
	h2.wait(t, "ended", 1)
	ok(t, result(t, done))
	if l := h2.of("log"); len(l) != 1 || l[0].text != "the last line" {
		t.Errorf("log is %+v", l)
	}
	if m := h2.of("message"); len(m) != 0 {
		t.Errorf("a message crossed the restart: %+v", m)
	}
}

// TestFrozen stops an executor's process: silence is told; once it was fenced
// and goes on, nothing of it gets through (law E3).
func TestFrozen(t *testing.T) {
	h := newHost(t)
	cmd := h.spawn(t, "a")
	ok(t, h.SetGeneration("a", 1))
	ok(t, h.Start("a"))
	h.wait(t, "beat", 2)
	ok(t, cmd.Process.Signal(syscall.SIGSTOP))
	for i := range 100 {
		ok(t, h.Send("a", 1, fmt.Appendf(nil, "%d", i)))
	}
	if s := h.wait(t, "silent", 2); s[0].id != "a" {
		t.Errorf("silent: %+v", s)
	}
	h.Fence("a")
	before := len(h.of("message"))
	ok(t, cmd.Process.Signal(syscall.SIGCONT))
	state, err := cmd.Process.Wait()
	ok(t, err)
	if state.ExitCode() != 1 {
		t.Errorf("a fenced executor ends with %v", state)
	}
	if got := h.of("message"); len(got) != before {
		t.Errorf("%d messages came after the fence", len(got)-before)
	}
	if e := h.of("ended"); len(e) != 0 {
		t.Errorf("its end was heard: %+v", e)
	}
	if err := h.Send("a", 1, nil); core.KindOf(err) != core.Denied {
		t.Errorf("sending to a fenced executor: %v", err)
	}
}

func TestKilledIsClosed(t *testing.T) {
	h := newHost(t)
	cmd := h.spawn(t, "a")
	ok(t, h.Start("a"))
	h.wait(t, "beat", 1)
	ok(t, cmd.Process.Kill())
	h.wait(t, "closed", 1)
	h.wait(t, "silent", 1)
	h.Forget("a")
}

// TestLogFlood: a worker that logs without end is cut down to its rate, and the
// number of lines missing is told.
func TestLogFlood(t *testing.T) {
	h := newHost(t)
	const lines = 20 * logBurst
	done := h.launch(t, "a", assignment(0), func(ctx context.Context, env *core.Env) error {
		for range lines {
			env.Log.Info("\x1b[31mred\nand a second line")
		}
		return nil
	})
	ok(t, h.Start("a"))
	h.wait(t, "ended", 1)
	ok(t, result(t, done))
	got, dropped := 0, 0
	for _, l := range h.of("log") {
		var n int
		if _, err := fmt.Sscanf(l.text, "%d log lines were dropped", &n); err == nil {
			dropped += n
			continue
		}
		got++
		if strings.ContainsRune(l.text, 0x1b) {
			t.Fatalf("an escape came through: %q", l.text)
		}
	}
	if got+dropped != 2*lines {
		t.Errorf("%d lines and %d dropped, want %d in all", got, dropped, 2*lines)
	}
	if got < logBurst || dropped == 0 {
		t.Errorf("%d lines came, %d were dropped", got, dropped)
	}
}

// TestSlowWorker: the host's Send answers with an error and never blocks, and
// what is under way stays bounded (law E6).
func TestSlowWorker(t *testing.T) {
	h := newHost(t)
	gate := make(chan struct{})
	taken := 0
	done := h.launch(t, "a", assignment(0), func(ctx context.Context, env *core.Env) error {
		<-gate
		for msg := range env.Inbox {
			if taken += len(msg); len(msg) == 0 {
				return nil
			}
		}
		return nil
	})
	ok(t, h.Start("a"))
	h.wait(t, "beat", 1)
	chunk, sent := make([]byte, 4<<20), 0
	var err error
	for err == nil {
		if err = h.Send("a", 1, chunk); err == nil {
			sent += len(chunk)
		}
	}
	if core.KindOf(err) != core.Failed || sent < backlog/2 || sent > backlog {
		t.Errorf("after %d bytes: %v", sent, err)
	}
	if err := h.Send("a", 1, make([]byte, MaxMessage+1)); core.KindOf(err) != core.Failed {
		t.Errorf("a message above the limit: %v", err)
	}
	h.wait(t, "beat", len(h.of("beat"))+3) // neither side is blocked by it
	close(gate)
	for h.Send("a", 1, nil) != nil {
		h.wait(t, "beat", len(h.of("beat"))+1)
	}
	ok(t, result(t, done))
	if taken != sent {
		t.Errorf("the worker got %d bytes of %d", taken, sent)
	}
}

// TestSlowHost: a worker's Send blocks while nobody takes, and goes on after.
func TestSlowHost(t *testing.T) {
	h := newHost(t)
	full := make(chan struct{})
	done := h.launch(t, "a", assignment(0), func(ctx context.Context, env *core.Env) error {
		<-full // the host is away
		short, cancel := context.WithCancel(ctx)
		n := 0
		for {
			if n == 4 {
				cancel()
			}
			if err := env.Send(short, make([]byte, window/4-overhead)); err != nil {
				break
			}
			n++
		}
		cancel()
		if n > 4 {
			return fmt.Errorf("%d quarter windows were taken", n)
		}
		return env.Send(ctx, []byte("went on"))
	})
	ok(t, h.Start("a"))
	h.wait(t, "beat", 1)
	socket := h.socket
	ok(t, h.Close())
	close(full)
	h2 := &host{recorder: newRecorder(), ca: h.ca, socket: socket}
	var err error
	h2.Server, err = NewServer(Config{CA: h.ca, Heartbeat: testBeat}, h2.recorder)
	ok(t, err)
	ok(t, h2.Restore("a", placeOf(assignment(0))))
	l, err := unixsock.Listen(socket)
	ok(t, err)
	h2.serve(t, l)
	if e := h2.wait(t, "ended", 1)[0]; e.err != nil {
		t.Error(e.err)
	}
	ok(t, result(t, done))
}

// TestHostThatSlept blames nobody (law E8).
func TestHostThatSlept(t *testing.T) {
	now := time.Now()
	p := &peer{joined: true, seen: now.Add(-time.Minute)}
	if s := p.silence(now, time.Minute); s != 0 {
		t.Errorf("silent for %v of a minute that the host slept", s)
	}
	if s := p.silence(now.Add(5*time.Second), 0); s != 5*time.Second {
		t.Errorf("silent for %v, want 5s", s)
	}
}
