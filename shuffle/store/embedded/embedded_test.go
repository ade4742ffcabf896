package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/embedded"
	"github.com/capstan-run/capstan/shuffle/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.ServeIfChild()
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	near, far := s.Access(), s.Access()
	far.Socket = ""
	t.Run("socket", func(t *testing.T) { storetest.Run(t, near, "test/near/") })
	t.Run("loopback", func(t *testing.T) { storetest.Run(t, far, "test/far/") })
	// Cut bodies go to the Endpoint, which here is the socket.
	near.Endpoint = "unix://" + near.Socket
	t.Run("cut", func(t *testing.T) { storetest.RunCut(t, near, "test/cut/") })
}

// A socket that is gone does not keep bodies from the store.
func TestUploadsWithoutSocket(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	access := s.Access()
	c := storetest.Open(t, access)
	for _, name := range []string{"test/with", "test/without"} {
		b := storetest.Bytes(1<<20, 7)
		if _, err := c.Put(t.Context(), name, bytes.NewReader(b), int64(len(b)), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := storetest.ReadAll(t, c, name); !bytes.Equal(got, b) {
			t.Errorf("%s: other bytes came back", name)
		}
		if err := os.Remove(access.Socket); name == "test/with" && err != nil {
			t.Fatal(err)
		}
		c.Close() // its kept connections outlive the socket's name
	}
}

// A completion that the store never saw the parts of must not be taken for one
// it has done, only because the key exists.
func TestCompletionOfUnknownUpload(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	c, mc := storetest.Open(t, s.Access()), storetest.Core(t, s.Access())
	if _, err := c.Put(t.Context(), "test/there", strings.NewReader("x"), 1, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"00000000-0000-0000-0000-000000000000", "../../../..", "x/../.."} {
		_, err := mc.CompleteMultipartUpload(t.Context(), "test", "there", id, []minio.CompletePart{{PartNumber: 1, ETag: "x"}}, minio.PutObjectOptions{})
		if minio.ToErrorResponse(err).Code != "NoSuchUpload" {
			t.Errorf("complete %q: %v", id, err)
		}
		if err := mc.AbortMultipartUpload(t.Context(), "test", "there", id); minio.ToErrorResponse(err).Code != "NoSuchUpload" {
			t.Errorf("abort %q: %v", id, err)
		}
	}
	if got := storetest.ReadAll(t, c, "test/there"); string(got) != "x" {
		t.Errorf("the object is now %q", got)
	}
}

// An upload that was aborted while its parts were under way does not come back
// with the last of them (E3).
func TestAbortedUploadStaysAborted(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	c, mc := storetest.Open(t, s.Access()), storetest.Core(t, s.Access())
	part := storetest.Bytes(64<<10, 1)
	for range 40 {
		id, err := mc.NewMultipartUpload(t.Context(), "test", "aborted/x", minio.PutObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var parts sync.WaitGroup
		first := make(chan struct{}, 8)
		for n := 1; n <= 8; n++ {
			parts.Go(func() {
				_, err := mc.PutObjectPart(t.Context(), "test", "aborted/x", id, n, bytes.NewReader(part), int64(len(part)), minio.PutObjectPartOptions{})
				if code := minio.ToErrorResponse(err).Code; err != nil && code != "NoSuchUpload" {
					t.Errorf("part %d: %v", n, err)
				}
				first <- struct{}{}
			})
		}
		<-first
		if err := mc.AbortMultipartUpload(t.Context(), "test", "aborted/x", id); err != nil {
			t.Errorf("abort: %v", err)
		}
		for u, err := range c.Uploads(t.Context(), "test/aborted/") {
			t.Fatalf("after its abort: %+v, %v", u, err)
		}
		parts.Wait()
		for u, err := range c.Uploads(t.Context(), "test/aborted/") {
			t.Fatalf("after its last part: %+v, %v", u, err)
		}
	}
}

func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	o := storetest.Options(t.TempDir())
	up := make(chan struct{}, 10)
	o.Up = func() { up <- struct{}{} }
	s := storetest.Start(t, o)
	c := storetest.Open(t, s.Access())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	acked := make([]int, 4)
	for w := range acked {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				b := storetest.Bytes(200_000, uint64(i))
				if _, err := c.Put(ctx, fmt.Sprintf("test/kill/%d/%d", w, i), bytes.NewReader(b), int64(len(b)), store.PutOptions{}); err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				acked[w] = i + 1
			}
		})
	}
	pids := map[int]bool{}
	for range 3 {
		pid := s.PID()
		pids[pid] = true
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-up
		if _, err := c.Put(t.Context(), "test/kill/between", strings.NewReader("x"), 1, store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	wg.Wait()
	if len(pids) != 3 || pids[s.PID()] {
		t.Errorf("servers %v, now %d", pids, s.PID())
	}
	for w, n := range acked {
		for i := range n {
			got := storetest.ReadAll(t, c, fmt.Sprintf("test/kill/%d/%d", w, i))
			if !bytes.Equal(got, storetest.Bytes(200_000, uint64(i))) {
				t.Fatalf("writer %d, object %d of %d is wrong: %d bytes", w, i, n, len(got))
			}
		}
	}
}

func TestClientWaitsForAStoreThatIsDown(t *testing.T) {
	o := storetest.Options(t.TempDir())
	s := storetest.Start(t, o)
	access := s.Access()
	access.Root = ""
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	short, err := store.Config{Budget: -1}.Open(access)
	if err != nil {
		t.Fatal(err)
	}
	defer short.Close()
	_, err = short.Stat(t.Context(), "test/x")
	if e := (*core.Error)(nil); !errors.Is(err, store.ErrUnavailable) || !errors.As(err, &e) || e.Remedy == "" || e.Where != "test/x" {
		t.Errorf("stat without a store: %v", err)
	}

	waiting, recovered := make(chan store.Wait, 1000), make(chan store.Wait, 1)
	patient, err := store.Config{
		Waiting:   func(w store.Wait) { waiting <- w },
		Recovered: func(w store.Wait) { recovered <- w },
	}.Open(access)
	if err != nil {
		t.Fatal(err)
	}
	defer patient.Close()
	done := make(chan error, 1)
	go func() {
		_, err := patient.Put(t.Context(), "test/waited", strings.NewReader("for"), 3, store.PutOptions{})
		done <- err
	}()
	if w := <-waiting; w.Verb != "put" || w.Path != "test/waited" || !errors.Is(w.Cause, store.ErrUnavailable) {
		t.Errorf("waiting %+v", w)
	}
	o.Address = strings.TrimPrefix(access.Endpoint, "http://")
	again := storetest.Start(t, o)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if w := <-recovered; w.For <= 0 || w.Path != "test/waited" {
		t.Errorf("recovered %+v", w)
	}
	if again.Access() != s.Access() {
		t.Errorf("the access changed: %+v, %+v", again.Access(), s.Access())
	}
	if got := storetest.ReadAll(t, patient, "test/waited"); string(got) != "for" {
		t.Errorf("got %q", got)
	}
}

func TestReadsGoOnOverARestart(t *testing.T) {
	o := storetest.Options(t.TempDir())
	up := make(chan struct{}, 1)
	o.Up = func() { up <- struct{}{} }
	s := storetest.Start(t, o)
	c := storetest.Open(t, s.Access())
	want := storetest.Bytes(32<<20, 1)
	if _, err := c.Put(t.Context(), "test/big", bytes.NewReader(want), int64(len(want)), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	r, _, err := c.Get(t.Context(), "test/big", 5, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make([]byte, 1000)
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(s.PID(), syscall.SIGKILL)
	<-up
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(append(got, rest...), want[5:]) {
		t.Errorf("%d bytes after the restart, %v", len(rest), err)
	}
}

// A server that is frozen is told of long before it is given up, and so is its
// return.
func TestSilenceIsTold(t *testing.T) {
	o := storetest.Options(t.TempDir())
	o.ProbeEvery, o.SilentAfter = 20*time.Millisecond, time.Second
	down, up := make(chan error, 10), make(chan struct{}, 10)
	o.Down = func(reason error) { down <- reason }
	o.Up = func() { up <- struct{}{} }
	s := storetest.Start(t, o)
	pid := s.PID()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGCONT)
	reason := <-down
	if e := (*core.Error)(nil); !errors.As(reason, &e) || e.Kind != core.TimedOut || !strings.Contains(e.What, "has not answered since") || e.Remedy == "" {
		t.Errorf("down: %v", reason)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	<-up
	if s.PID() != pid {
		t.Errorf("server %d took the place of %d, which was only silent", s.PID(), pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if reason := <-down; !strings.Contains(reason.Error(), "the store ended: ") {
		t.Errorf("down: %v", reason)
	}
	<-up
}

// Ctrl-C reaches every process of the terminal, and the host that is ending
// still needs its store.
func TestSignalsAreTheParents(t *testing.T) {
	s := storetest.Start(t, storetest.Options(t.TempDir()))
	c := storetest.Open(t, s.Access())
	pid := s.PID()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Put(t.Context(), "test/x", strings.NewReader("x"), 1, store.PutOptions{}); err != nil {
			t.Error(err)
		}
	}
	if s.PID() != pid {
		t.Errorf("server %d took the place of %d", s.PID(), pid)
	}
}

func TestRefusesOtherAddresses(t *testing.T) {
	for _, a := range []string{"0.0.0.0:0", ":0", "192.168.1.1:80", "localhost:80"} {
		o := storetest.Options(t.TempDir())
		o.Address = a
		if s, err := embedded.Start(t.Context(), o); core.KindOf(err) != core.Invalid {
			t.Errorf("%s: %v", a, err)
			s.Close()
		}
	}
}

func TestKeysArePrivateAndStay(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Start(t, storetest.Options(dir))
	file := filepath.Join(dir, "store-admin.json")
	fi, err := os.Stat(file)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("keys: %v, %v", fi, err)
	}
	wrong := s.Access()
	wrong.SecretKey, wrong.Root = "guess", ""
	if _, err := storetest.Open(t, wrong).Stat(t.Context(), "test/x"); !errors.Is(err, store.ErrDenied) || core.KindOf(err) != core.Denied {
		t.Errorf("a wrong secret: %v", err)
	}
}

func TestChildThatDoesNotServe(t *testing.T) {
	o := storetest.Options(t.TempDir())
	o.Command, o.Env = []string{"/bin/false"}, nil
	if _, err := embedded.Start(t.Context(), o); err == nil || core.KindOf(err) != core.Internal {
		t.Errorf("start of /bin/false: %v", err)
	}
}
