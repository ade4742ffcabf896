package mesh_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/shuffle/mesh"
	"github.com/capstan-run/capstan/shuffle/mesh/meshtest"
)

// childEnv holds the configuration of a rank in a process of its own.
const childEnv = "MESH_TEST_RANK"

func TestMain(m *testing.M) {
	if doc := os.Getenv(childEnv); doc != "" {
		if err := child(doc); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// rank is what of a configuration a child is told.
type rank struct {
	Places []mesh.Place
	Dir    string
	Flood  bool // send without end, else echo until rank 0 leaves
}

func child(doc string) error {
	var r rank
	if err := json.Unmarshal([]byte(doc), &r); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m, err := mesh.Join(ctx, mesh.Config{ID: "test", Rank: 1, Size: 2, Places: r.Places, Dir: r.Dir})
	if err != nil {
		return err
	}
	data := make([]byte, 3<<20)
	for i := 0; r.Flood; i++ {
		if err := m.Send(ctx, 0, 0, data[:(i*i*4099)%len(data)]); err != nil {
			return err
		}
	}
	for {
		msg, err := m.Recv(ctx, 0, 0)
		if errors.Is(err, mesh.ErrLeft) {
			return m.Close(ctx)
		}
		if err != nil {
			return err
		}
		if err := m.Send(ctx, 0, 0, msg.Bytes()); err != nil {
			return err
		}
		msg.Release()
	}
}

// start runs rank 1 as a process and joins it as rank 0.
func start(t *testing.T, kind meshtest.Make, flood bool) (*mesh.Mesh, *exec.Cmd) {
	cfg := kind(t, 2)[0]
	doc, err := json.Marshal(rank{cfg.Places, cfg.Dir, flood})
	must(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(doc))
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	m, err := mesh.Join(meshtest.Deadline(t), cfg)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatal(err)
	}
	return m, cmd
}

var acrossProcesses = map[string]meshtest.Make{"shared": sameHost, "network": network}

// TestProcesses sends to another process and back.
func TestProcesses(t *testing.T) {
	for name, kind := range acrossProcesses {
		t.Run(name, func(t *testing.T) {
			ctx := meshtest.Deadline(t)
			m, cmd := start(t, kind, false)
			for _, n := range []int{0, 8, 5000, 50000, 1 << 20, 40 << 20} {
				data := make([]byte, n)
				for i := range data {
					data[i] = byte(i * n)
				}
				must(t, m.Send(ctx, 1, 0, data))
				msg, err := m.Recv(ctx, 1, 0)
				must(t, err)
				if string(msg.Bytes()) != string(data) {
					t.Errorf("%d bytes came back changed", n)
				}
				msg.Release()
			}
			must(t, m.Close(ctx))
			must(t, cmd.Wait())
		})
	}
}

// TestKilled kills a process in the midst of its messages: what came whole is
// received, then the rank is lost.
func TestKilled(t *testing.T) {
	for name, kind := range acrossProcesses {
		t.Run(name, func(t *testing.T) {
			ctx := meshtest.Deadline(t)
			m, cmd := start(t, kind, true)
			for i := range 20 {
				msg, err := m.Recv(ctx, 1, 0)
				must(t, err)
				if want := (i * i * 4099) % (3 << 20); len(msg.Bytes()) != want {
					t.Fatalf("message %d has %d bytes, want %d", i, len(msg.Bytes()), want)
				}
				msg.Release()
			}
			must(t, cmd.Process.Kill())
			_ = cmd.Wait()
			var err error
			for err == nil {
				var msg *mesh.Message
				if msg, err = m.Recv(ctx, 1, 0); err == nil {
					msg.Release()
				}
			}
			var peer *mesh.PeerError
			if !errors.As(err, &peer) || peer.Rank != 1 || !errors.Is(err, mesh.ErrLost) {
				t.Errorf("after a kill: %v", err)
			}
			if err := m.Send(ctx, 1, 0, make([]byte, 1<<20)); !errors.Is(err, mesh.ErrLost) {
				t.Errorf("send to the killed: %v", err)
			}
			must(t, m.Close(ctx))
		})
	}
}
