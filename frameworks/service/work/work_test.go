package work_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor"
	"github.com/capstan-run/capstan/frameworks/service/spec"
	"github.com/capstan-run/capstan/frameworks/service/wire"
	"github.com/capstan-run/capstan/frameworks/service/work"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// rig is a worker whose coordinator is the test.
type rig struct {
	t        *testing.T
	inbox    chan []byte
	statuses chan wire.Status
	seen     []wire.Status
	dir      string

	mu  sync.Mutex
	log []string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, inbox: make(chan []byte), statuses: make(chan wire.Status, 1000), dir: t.TempDir()}
	ctx, cancel := context.WithCancel(t.Context())
	log := executor.NewLogger(func(_ time.Time, _ slog.Level, line string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.log = append(r.log, line)
	})
	env := &core.Env{Rank: core.Rank{Job: "web", Gang: "web-0"}, Size: 1, Scratch: r.dir, Files: r.dir, Log: log, Inbox: r.inbox,
		Send: func(_ context.Context, b []byte) error {
			var s wire.Status
			if err := wire.Decode(b, &s); err != nil {
				return err
			}
			r.statuses <- s
			return nil
		}}
	done := make(chan error, 1)
	go func() { done <- work.Work(ctx, env) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

// run orders a run of a body.
func (r *rig) run(number int, body string) {
	r.t.Helper()
	b, err := spec.Parse([]byte(body))
	if err != nil {
		r.t.Fatal(err)
	}
	r.order(wire.Order{Run: &wire.Run{Number: number, Service: "web", Copy: "web-0", Version: 1, Body: b}})
}

func (r *rig) order(o wire.Order) { r.inbox <- wire.Encode(o) }

// until waits for a status and answers it.
func (r *rig) until(what string, ok func(wire.Status) bool) wire.Status {
	r.t.Helper()
	late := time.After(patience)
	for {
		select {
		case s := <-r.statuses:
			r.seen = append(r.seen, s)
			if ok(s) {
				return s
			}
		case <-late:
			r.t.Fatalf("waited in vain for %s; there were %+v", what, r.seen)
		}
	}
}

func ready(s wire.Status) bool { return s.Ready }
func ended(s wire.Status) bool { return s.Phase == wire.Ended }

func (r *rig) file(name string) string {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestExit(t *testing.T) {
	r := newRig(t)
	r.run(1, `{"exec": ["sh", "-c", "echo out; echo err >&2; exit 3"]}`)
	if s := r.until("the end", ended); s.Number != 1 || s.Why != "sh ended with exit status 3" || s.Ready {
		t.Errorf("it ends with %+v", s)
	}
	r.run(2, `{"exec": ["no-such-command"]}`)
	if s := r.until("the second end", ended); s.Number != 2 || !strings.Contains(s.Why, `"no-such-command" is not in the executor`) {
		t.Errorf("it ends with %+v", s)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range []string{"web-0 | out", "web-0 | err"} {
		if !slices.Contains(r.log, line) {
			t.Errorf("the log has no %q: %q", line, r.log)
		}
	}
}

// What the command finds in its environment, and a port that is handed out.
func TestSurroundings(t *testing.T) {
	t.Setenv("VOLUME_DATA", "/somewhere")
	r := newRig(t)
	r.run(1, `{"exec": ["sh", "-c", "env > env; touch up; exec sleep 1000"], "ready": {"exec": ["test", "-f", "up"], "interval": "10ms"}, "env": {"MODE": "fast"},
		"ports": [{"name": "http"}, {"name": "admin-2", "port": 9}], "volumes": [{"name": "data"}]}`)
	s := r.until("readiness", ready)
	text := r.file("env")
	for _, v := range []string{"COPY=web-0", "SERVICE=web", "ORDINAL=0", "MODE=fast", "PORT_ADMIN_2=9", "PORT1=9", "VOLUME_DATA=/somewhere",
		fmt.Sprintf("PORT0=%d", s.Ports[0]), fmt.Sprintf("PORT_HTTP=%d", s.Ports[0]), "CAPSTAN_NAMES=" + filepath.Join(r.dir, "names.json")} {
		if !slices.Contains(strings.Split(text, "\n"), v) {
			t.Errorf("there is no %s in\n%s", v, text)
		}
	}
	r.order(wire.Order{Known: true, Names: []wire.Name{{Copy: "web-1", Address: "10.0.0.1", Ports: map[string]int{"http": 80}}}})
	r.until("the answer", func(wire.Status) bool { return true })
	var names []wire.Name
	if err := json.Unmarshal([]byte(r.file("names.json")), &names); err != nil || len(names) != 1 || names[0].Copy != "web-1" {
		t.Errorf("the names are %+v, %v", names, err)
	}
}

func (r *rig) fileOr(name string) string {
	b, _ := os.ReadFile(filepath.Join(r.dir, name))
	return string(b)
}

// A run has its number: a lower or equal one starts nothing, a higher one takes
// the place of what runs, and what that started is gone.
func TestRunsInOrder(t *testing.T) {
	r := newRig(t)
	const body = `{"exec": ["sh", "-c", "rm -f up; sleep 1000 & echo $! > child; touch up; exec sleep 1000"], "ready": {"exec": ["test", "-f", "up"], "interval": "10ms"}, "stop": {"grace": "1s"}}`
	r.run(2, body)
	r.until("readiness", ready)
	child, err := strconv.Atoi(r.file("child"))
	if err != nil {
		t.Fatal(err)
	}
	r.run(2, body)
	r.run(1, body)
	for range 2 {
		if s := r.until("an answer", func(wire.Status) bool { return true }); s.Number != 2 || s.Phase != wire.Running {
			t.Errorf("an old order makes %+v", s)
		}
	}
	r.run(3, body)
	r.until("the third run", func(s wire.Status) bool { return s.Number == 3 && s.Ready })
	if !gone(t, child) {
		t.Error("the child of run 2 lives")
	}
}

// gone waits until a process that was told to die is dead, whether somebody
// buries it or not.
func gone(t *testing.T, pid int) bool {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return true
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000)
	return err == nil && n == 1
}

// A copy that goes is first not ready, then signalled, then killed.
func TestDrain(t *testing.T) {
	r := newRig(t)
	r.run(1, `{"exec": ["sh", "-c", "trap 'echo got > term' TERM; touch up; while :; do sleep 0.01; done"], "stop": {"drain": "300ms", "grace": "300ms"},
		"ready": {"exec": ["test", "-f", "up"], "interval": "20ms"}}`)
	r.until("readiness", ready)
	began := time.Now()
	r.order(wire.Order{Halt: &wire.Halt{Number: 1, Drain: true}})
	s := r.until("the halt", func(s wire.Status) bool { return s.Phase == wire.Stopping })
	if s.Ready || r.fileOr("term") != "" {
		t.Errorf("a draining copy is %+v, with %q signalled", s, r.fileOr("term"))
	}
	s = r.until("the end", ended)
	if took := time.Since(began); took < 600*time.Millisecond {
		t.Errorf("drain and grace are over after %s", took)
	}
	if r.file("term") != "got" || s.Why != "sh was killed by signal 9 (killed)" {
		t.Errorf("signalled %q, and %s", r.file("term"), s.Why)
	}
}

// A halt of a worker that runs nothing is answered with an end.
func TestHaltOfNothing(t *testing.T) {
	r := newRig(t)
	r.order(wire.Order{Halt: &wire.Halt{Drain: true}})
	r.until("the end", ended)
}

// Probes decide over ready and sick: http by status, tcp by a connection; each
// needs its threshold.
func TestProbes(t *testing.T) {
	var status atomic.Int32
	status.Store(http.StatusServiceUnavailable)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/ready" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.WriteHeader(int(status.Load()))
	}))
	defer srv.Close()
	port := srv.Listener.Addr().(*net.TCPAddr).Port
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	r.run(1, fmt.Sprintf(`{"exec": ["sleep", "1000"], "ports": [{"name": "web", "port": %d}, {"name": "raw", "port": %d}],
		"ready": {"http": {"path": "/ready"}, "interval": "10ms", "threshold": 2},
		"health": {"tcp": "raw", "interval": "10ms", "threshold": 3}}`, port, l.Addr().(*net.TCPAddr).Port))
	s := r.until("a reason", func(s wire.Status) bool { return strings.Contains(s.Why, "503") })
	if s.Ready || s.Sick != "" {
		t.Errorf("before: %+v", s)
	}
	status.Store(http.StatusNoContent)
	r.until("readiness", ready)
	status.Store(http.StatusInternalServerError)
	if s := r.until("the loss of it", func(s wire.Status) bool { return !s.Ready }); !strings.Contains(s.Why, "GET /ready answers 500") {
		t.Errorf("lost: %+v", s)
	}
	l.Close()
	if s := r.until("sickness", func(s wire.Status) bool { return s.Sick != "" }); !strings.Contains(s.Sick, "the health probe: ") {
		t.Errorf("sick: %+v", s)
	}
}

// Within the grace a failure of health does not count; a check that hangs is one.
func TestGraceAndTimeout(t *testing.T) {
	r := newRig(t)
	r.run(1, `{"exec": ["sleep", "1000"], "health": {"exec": ["sleep", "1000"], "timeout": "20ms", "interval": "20ms", "threshold": 1, "grace": "400ms"}}`)
	began := time.Now()
	s := r.until("sickness", func(s wire.Status) bool { return s.Sick != "" })
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("it is sick after %s", took)
	}
	if !strings.Contains(s.Sick, "no answer within 20ms") {
		t.Errorf("it is sick: %s", s.Sick)
	}
}
