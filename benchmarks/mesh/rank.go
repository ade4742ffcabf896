package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/shuffle/mesh"
)

const (
	large    = 64 << 20
	streamed = 24 // messages of a network run
)

// order is what a rank's process is told.
type order struct {
	Kind    string // shm, tcp, mtls
	Rank    int
	Dir     string
	Address string // of rank 0
	Keys    *keys
}

// ranks runs two ranks in processes of their own and returns what rank 0 says.
func ranks(ctx context.Context, kind string) (samples, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mesh-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	o := order{Kind: kind, Dir: dir}
	if kind != "shm" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		o.Address = l.Addr().String()
		l.Close()
	}
	if kind == "mtls" {
		if o.Keys, err = newKeys(); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	g, ctx := errgroup.WithContext(ctx)
	for r := range 2 {
		o.Rank = r
		doc, err := json.Marshal(o)
		if err != nil {
			return nil, err
		}
		cmd := exec.CommandContext(ctx, self, "rank", string(doc))
		cmd.Stderr = os.Stderr
		if r == 0 {
			cmd.Stdout = &out
		}
		g.Go(cmd.Run)
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return parse(out.Bytes(), map[string]map[string]string{
		"shm":  {"8": "shm 8 B, mesh", "sent": "shm 64 MiB, mesh, sent", "handed": "shm 64 MiB, mesh, handed"},
		"tcp":  {"stream": "tcp 64 MiB, mesh"},
		"mtls": {"stream": "tcp 64 MiB, mesh, mTLS"},
	}[kind])
}

// runRank is a rank's process.
func runRank(args []string) error {
	var o order
	if len(args) != 1 {
		return errors.New("rank: want one order")
	}
	if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
		return err
	}
	cfg, err := o.config()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	m, err := mesh.Join(ctx, cfg)
	if err != nil {
		return err
	}
	if o.Kind == "shm" {
		err = exchange(ctx, m)
	} else {
		err = stream(ctx, m)
	}
	return errors.Join(err, m.Close(ctx))
}

func (o *order) config() (mesh.Config, error) {
	cfg := mesh.Config{ID: "bench", Rank: o.Rank, Size: 2, Dir: o.Dir, Arena: 4 * large}
	if o.Kind == "shm" {
		cfg.Places = []mesh.Place{{Host: "here"}, {Host: "here"}}
		return cfg, nil
	}
	cfg.Places = []mesh.Place{{Address: o.Address}, {}}
	var err error
	if o.Rank == 0 {
		cfg.Listener, err = net.Listen("tcp", o.Address)
	}
	if err == nil && o.Keys != nil {
		cfg.TLS, err = o.Keys.config()
	}
	return cfg, err
}

// exchange measures round trips.
func exchange(ctx context.Context, m *mesh.Mesh) error {
	small, big := make([]byte, 8), make([]byte, large)
	for i := range big {
		big[i] = byte(m.Rank())
	}
	send := func(b []byte) func() error {
		return func() error { return m.Send(ctx, 1-m.Rank(), 0, b) }
	}
	hand := func() error {
		b, err := m.Alloc(ctx, large)
		if err != nil {
			return err
		}
		return m.Hand(ctx, 1-m.Rank(), 0, b)
	}
	if err := trips(ctx, m, "8", 8, 40, 5000, send(small)); err != nil {
		return err
	}
	if err := trips(ctx, m, "sent", large, 12, 1, send(big)); err != nil {
		return err
	}
	return trips(ctx, m, "handed", large, 12, 1, hand)
}

// trips makes two batches to warm up and then those that count.
func trips(ctx context.Context, m *mesh.Mesh, name string, n, batches, each int, send func() error) error {
	for b := -2; b < batches; b++ {
		start := time.Now()
		for range each {
			if m.Rank() == 0 {
				if err := send(); err != nil {
					return err
				}
			}
			if err := receive(ctx, m, n); err != nil {
				return err
			}
			if m.Rank() == 1 {
				if err := send(); err != nil {
					return err
				}
			}
		}
		if m.Rank() == 0 && b >= 0 {
			fmt.Printf("%s %.1f\n", name, float64(time.Since(start).Nanoseconds())/float64(each))
		}
	}
	return nil
}

func receive(ctx context.Context, m *mesh.Mesh, n int) error {
	msg, err := m.Recv(ctx, 1-m.Rank(), 0)
	if err != nil {
		return err
	}
	defer msg.Release()
	if len(msg.Bytes()) != n {
		return fmt.Errorf("%d bytes came, %d were sent", len(msg.Bytes()), n)
	}
	return nil
}

// stream measures messages in one direction, from rank 1 to rank 0.
func stream(ctx context.Context, m *mesh.Mesh) error {
	big := make([]byte, large)
	var start time.Time
	for i := range streamed + 2 {
		if i == 2 {
			start = time.Now()
		}
		if m.Rank() == 1 {
			if err := m.Send(ctx, 0, 0, big); err != nil {
				return err
			}
		} else if err := receive(ctx, m, large); err != nil {
			return err
		}
	}
	if m.Rank() == 0 {
		fmt.Printf("stream %.1f\n", float64(time.Since(start).Nanoseconds())/streamed)
	}
	return nil
}
