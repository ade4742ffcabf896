package executor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/unixsock"
)

func benchHost(b *testing.B) *host {
	b.Helper()
	ca, err := NewCA()
	if err != nil {
		b.Fatal(err)
	}
	h := &host{recorder: newRecorder(), ca: ca, socket: filepath.Join(b.TempDir(), "host.sock")}
	if h.Server, err = NewServer(Config{CA: ca}, h.recorder); err != nil {
		b.Fatal(err)
	}
	l, err := unixsock.Listen(h.socket)
	if err != nil {
		b.Fatal(err)
	}
	go h.Serve(l) // until Close
	b.Cleanup(func() { h.Close() })
	return h
}

func (h *host) await(call string, n int) {
	for {
		h.recorder.mu.Lock()
		more := h.recorder.more
		h.recorder.mu.Unlock()
		if len(h.of(call)) >= n {
			return
		}
		<-more
	}
}

// BenchmarkJoin is an executor's process from its start to Handler.Joined.
func BenchmarkJoin(b *testing.B) {
	h := benchHost(b)
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		id, token := fmt.Sprint("e", n), NewToken()
		if err := h.Expect(id, token, assignment(0)); err != nil {
			b.Fatal(err)
		}
		path := filepath.Join(b.TempDir(), "boot")
		if err := h.bootstrap(id, token).Write(path); err != nil {
			b.Fatal(err)
		}
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{"EXECUTOR_TEST=executor", BootstrapEnv + "=" + path}
		cmd.Stderr = os.Stderr
		b.StartTimer()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		h.await("joined", n+1)
		b.StopTimer()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		b.StartTimer()
	}
}

// BenchmarkAssign is a warm executor from Assign to its worker's first message.
func BenchmarkAssign(b *testing.B) {
	h := benchHost(b)
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		id, token := fmt.Sprint("e", n), NewToken()
		if err := h.Expect(id, token, nil); err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		gone := make(chan error, 1)
		go func() {
			gone <- runWith(ctx, h.bootstrap(id, token), []core.Framework{framework{work: func(ctx context.Context, env *core.Env) error {
				if err := env.Send(ctx, []byte("up")); err != nil {
					return err
				}
				<-ctx.Done()
				return nil
			}}})
		}()
		h.await("joined", 2*n+1)
		b.StartTimer()
		if err := h.Assign(id, assignment(0)); err != nil {
			b.Fatal(err)
		}
		if err := h.Start(id); err != nil {
			b.Fatal(err)
		}
		h.await("message", n+1)
		b.StopTimer()
		h.Fence(id)
		cancel()
		<-gone
		b.StartTimer()
	}
}

// BenchmarkEcho is a message to a worker and back.
func BenchmarkEcho(b *testing.B) {
	h := benchHost(b)
	token := NewToken()
	if err := h.Expect("a", token, assignment(0)); err != nil {
		b.Fatal(err)
	}
	back := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(b.Context())
	gone := make(chan error, 1)
	go func() {
		gone <- runWith(ctx, h.bootstrap("a", token), []core.Framework{framework{work: func(ctx context.Context, env *core.Env) error {
			for range env.Inbox {
				back <- struct{}{}
			}
			return nil
		}}})
	}()
	if err := h.Start("a"); err != nil {
		b.Fatal(err)
	}
	msg := make([]byte, 1000)
	for b.Loop() {
		if err := h.Send("a", 1, msg); err != nil {
			b.Fatal(err)
		}
		<-back
	}
	cancel()
	<-gone
}
