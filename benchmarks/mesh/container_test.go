package mesh

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/docker"
	"github.com/capstan-run/capstan/core/launch/launchtest"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// contained is what a rank in a container finds in its bootstrap file.
type contained struct {
	Rank    int
	Address string // of rank 0; empty for shared memory
	Keys    *keys
	Lose    bool // rank 1 is going to be killed
}

const meshPort = "7000"

// runContained is a rank's process in its container: rank 0 sends, rank 1
// sends back.
func runContained() error {
	doc, err := os.ReadFile(os.Getenv(launch.EnvBootstrap))
	if err != nil {
		return err
	}
	var c contained
	if err := json.Unmarshal(doc, &c); err != nil {
		return err
	}
	cfg := mesh.Config{ID: "contained", Rank: c.Rank, Size: 2, Dir: os.Getenv(launch.EnvShared), Places: []mesh.Place{{Host: "h"}, {Host: "h"}}}
	if c.Address != "" {
		cfg.Places = []mesh.Place{{Address: c.Address}, {}}
		if cfg.TLS, err = c.Keys.config(); err != nil {
			return err
		}
		if c.Rank == 0 {
			if cfg.Listener, err = net.Listen("tcp", ":"+meshPort); err != nil {
				return err
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m, err := mesh.Join(ctx, cfg)
	if err != nil {
		return err
	}
	if c.Rank == 1 {
		return errors.Join(sendBack(ctx, m), m.Close(ctx))
	}
	err = sendOut(ctx, m)
	if err == nil && c.Lose {
		err = seeLost(ctx, m)
	}
	return errors.Join(err, m.Close(ctx))
}

// sendOut sends messages of all sizes, which must come back unchanged, and a
// signal past each.
func sendOut(ctx context.Context, m *mesh.Mesh) error {
	for _, n := range []int{0, 8, 10 << 10, 100 << 10, 33 << 20} {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(i * 31 >> 3)
		}
		var g errgroup.Group
		g.Go(func() error { return m.Send(ctx, 1, 0, data) })
		g.Go(func() error { return m.Signal(ctx, 1, 0, []byte("go")) })
		msg, err := m.Recv(ctx, 1, 0)
		if err = errors.Join(err, g.Wait()); err != nil {
			return err
		}
		if !bytes.Equal(msg.Bytes(), data) {
			return fmt.Errorf("%d bytes came back changed", n)
		}
		msg.Release()
	}
	return nil
}

func sendBack(ctx context.Context, m *mesh.Mesh) error {
	for {
		signal, err := m.RecvSignal(ctx, 0, 0)
		if errors.Is(err, mesh.ErrLeft) {
			return nil
		}
		if err != nil {
			return err
		}
		signal.Release()
		msg, err := m.Recv(ctx, 0, 0)
		if err != nil {
			return err
		}
		if err := m.Send(ctx, 0, 0, msg.Bytes()); err != nil {
			return err
		}
		msg.Release()
	}
}

// seeLost tells the test that rank 1 may be killed, and wants to find it lost.
func seeLost(ctx context.Context, m *mesh.Mesh) error {
	if err := os.WriteFile(filepath.Join(os.Getenv(launch.EnvShared), "ready"), nil, 0o644); err != nil {
		return err
	}
	for _, call := range []func() error{
		func() error { _, err := m.Recv(ctx, 1, 0); return err },
		func() error { _, err := m.Recv(ctx, mesh.Any, 0); return err },
		func() error { _, err := m.RecvSignal(ctx, 1, 0); return err },
		func() error { return m.Send(ctx, 1, 0, make([]byte, 33<<20)) },
		func() error { return m.Signal(ctx, 1, 0, nil) },
	} {
		var peer *mesh.PeerError
		if err := call(); !errors.As(err, &peer) || peer.Rank != 1 || !errors.Is(err, mesh.ErrLost) {
			return fmt.Errorf("rank 1 was killed, and a call says: %w", err)
		}
	}
	return nil
}

// TestContainers runs two ranks in two containers of one gang: over shared
// memory without any network, and over the gang's own network with mTLS; each
// until they part, and until one is killed.
func TestContainers(t *testing.T) {
	instance := launchtest.Instance()
	l, err := docker.New(t.Context(), docker.Config{StateDir: t.TempDir(), Instance: instance})
	if errors.Is(err, launch.ErrNoEngine) && os.Getenv("CAPSTAN_REQUIRE_DOCKER") != "1" {
		t.Skipf("NOT TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, network := range []string{"", "mesh"} {
		for _, lose := range []bool{false, true} {
			t.Run(fmt.Sprintf("network=%s,lose=%v", network, lose), func(t *testing.T) {
				g := launchtest.NewGang(t, l)
				set := executors(t, g, "capstan-"+instance+"-", network, lose)
				if err := l.Start(t.Context(), set); err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := l.Stop(context.Background(), set[0].ID, set[1].ID); err != nil {
						t.Error(err)
					}
				}()
				live := set
				if lose {
					await(t, filepath.Join(g.Shared, "ready"))
					if err := l.Stop(t.Context(), set[1].ID); err != nil {
						t.Fatal(err)
					}
					live = set[:1]
				}
				for range live {
					if end := launchtest.Await(t, l); end.Code != 0 {
						t.Errorf("%s: %s\n%s", end.ID, end.Reason, l.Tail(t.Context(), end.ID))
					}
				}
			})
			nothing(t, l)
		}
	}
}

// nothing wants no executor to be left.
func nothing(t *testing.T, l launch.Launcher) {
	t.Helper()
	left, err := l.List(t.Context())
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// executors are the two ranks, their names starting with what the engine calls
// the instance's containers.
func executors(t *testing.T, g *launchtest.Gang, prefix, network string, lose bool) []launch.Executor {
	t.Helper()
	id := fmt.Sprintf("mesh%s%v-", network, lose)
	set := g.Executors(id, 2)
	c := contained{Lose: lose}
	if network != "" {
		host := prefix + set[0].ID
		var err error
		if c.Keys, err = newKeys(host); err != nil {
			t.Fatal(err)
		}
		c.Address = net.JoinHostPort(host, meshPort)
	}
	for i := range set {
		c.Rank = i
		doc, err := json.Marshal(c)
		if err == nil {
			err = os.WriteFile(filepath.Join(g.Shared, set[i].Bootstrap), doc, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		set[i].Init, set[i].Network = []string{containedArg}, network
		set[i].CPU, set[i].Memory = 1000, 512<<20
	}
	return set
}

// await waits until a file is there.
func await(t *testing.T, path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatalf("%s does not come", path)
		}
	}
}
