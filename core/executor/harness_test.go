package executor

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor/wirepb"
	"github.com/capstan-run/capstan/core/unixsock"
)

// patience is how long a test waits for what must come. It is no measure.
const patience = 20 * time.Second

// heard is one Handler call.
type heard struct {
	call       string
	id         string
	rank       core.Rank
	running    bool
	generation int64
	text       string // message, line
	err        *core.Error
}

// recorder is a Handler that remembers.
type recorder struct {
	mu   sync.Mutex
	all  []heard
	more chan struct{}
}

func newRecorder() *recorder { return &recorder{more: make(chan struct{})} }

func (r *recorder) add(h heard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, h)
	close(r.more)
	r.more = make(chan struct{})
}

func (r *recorder) Joined(id string, rank core.Rank, running bool) {
	r.add(heard{call: "joined", id: id, rank: rank, running: running})
}
func (r *recorder) Message(id string, g int64, data []byte) {
	r.add(heard{call: "message", id: id, generation: g, text: string(data)})
}
func (r *recorder) Log(id string, _ time.Time, text string) {
	r.add(heard{call: "log", id: id, text: text})
}
func (r *recorder) Beat(id string, _ time.Duration, _ core.Bytes) { r.add(heard{call: "beat", id: id}) }
func (r *recorder) Silent(id string, since time.Duration) {
	r.add(heard{call: "silent", id: id, text: since.String()})
}
func (r *recorder) Ended(id string, err *core.Error, _ time.Duration) {
	r.add(heard{call: "ended", id: id, err: err})
}
func (r *recorder) Closed(id string, err error) {
	r.add(heard{call: "closed", id: id, text: fmt.Sprint(err)})
}

// of returns the calls of one kind so far.
func (r *recorder) of(call string) []heard {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []heard
	for _, h := range r.all {
		if h.call == call {
			out = append(out, h)
		}
	}
	return out
}

// wait returns the calls of one kind once there are n.
func (r *recorder) wait(t *testing.T, call string, n int) []heard {
	t.Helper()
	late := time.After(patience)
	for {
		r.mu.Lock()
		more := r.more
		r.mu.Unlock()
		if got := r.of(call); len(got) >= n {
			return got
		}
		select {
		case <-more:
		case <-late:
			r.mu.Lock()
			defer r.mu.Unlock()
			t.Fatalf("waited for %d × %s; heard %+v", n, call, r.all)
		}
	}
}

// host is a server on a unix socket.
type host struct {
	*Server
	*recorder
	ca     *CA
	socket string
}

const testBeat = 20 * time.Millisecond

func newHost(t *testing.T) *host {
	t.Helper()
	ca, err := NewCA()
	if err != nil {
		t.Fatal(err)
	}
	return startHost(t, Config{CA: ca, Heartbeat: testBeat}, filepath.Join(t.TempDir(), "host.sock"))
}

func startHost(t *testing.T, c Config, socket string) *host {
	t.Helper()
	h := &host{recorder: newRecorder(), ca: c.CA, socket: socket}
	var err error
	if h.Server, err = NewServer(c, h.recorder); err != nil {
		t.Fatal(err)
	}
	l, err := unixsock.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	h.serve(t, l)
	return h
}

func (h *host) serve(t *testing.T, l net.Listener) {
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error("serve:", err)
		}
	})
}

func (h *host) bootstrap(id, token string) Bootstrap {
	b := Bootstrap{ID: id, Address: "unix://" + h.socket, CA: string(h.ca.CertPEM()), Token: token}
	b.ServerName = DefaultServerName
	b.OrphanAfter = core.Duration(patience)
	return b
}

func assignment(rank int) *wirepb.Assignment {
	return &wirepb.Assignment{
		Job: "wordcount-x7", Epoch: 1, Gang: "main", Rank: int32(rank), Size: 2, Kind: "Test",
		Spec: []byte(`{"kind":"Test","metadata":{"name":"wordcount"}}`),
	}
}

// framework is a Framework of which only Work matters.
type framework struct {
	core.Framework
	work func(context.Context, *core.Env) error
}

func (framework) Describe() core.Description                      { return core.Description{Kind: "Test"} }
func (f framework) Work(ctx context.Context, env *core.Env) error { return f.work(ctx, env) }

// launch runs an executor in this process; the channel delivers Run's result.
func launch(t *testing.T, b Bootstrap, work func(context.Context, *core.Env) error) <-chan error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		result <- runWith(ctx, b, []core.Framework{framework{work: work}})
	}()
	t.Cleanup(func() { cancel(); <-gone })
	return result
}

// expect makes id known and launches it.
func (h *host) launch(t *testing.T, id string, a *wirepb.Assignment, work func(context.Context, *core.Env) error) <-chan error {
	t.Helper()
	token := NewToken()
	ok(t, h.Expect(id, token, a))
	return launch(t, h.bootstrap(id, token), work)
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func result(t *testing.T, c <-chan error) error {
	t.Helper()
	select {
	case err := <-c:
		return err
	case <-time.After(patience):
		t.Fatal("the executor does not end")
		return nil
	}
}
