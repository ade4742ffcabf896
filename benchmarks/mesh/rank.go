package mesh

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/shuffle/mesh"
)

const (
	streamed = 24 // messages of a network run
	streams  = 2  // connections that the mesh spreads them over
)

// order is what a rank's process is told.
type order struct {
	Rank    int
	Dir     string
	Pipes   string // prefix of the pipes from which the ranks are told their turns
	Address string // of rank 0; empty for shared memory
	Keys    *keys
}

func (o order) command(ctx context.Context, c Config) (*exec.Cmd, error) {
	doc, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, c.Rank[0], append(c.Rank[1:len(c.Rank):len(c.Rank)], string(doc))...)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// meshPlayer is two ranks over shared memory.
func meshPlayer(ctx context.Context, c Config, dir string) (*player, error) {
	o := order{Dir: dir, Pipes: filepath.Join(dir, "mesh")}
	p, err := newPlayer(o.Pipes)
	if err != nil {
		return nil, err
	}
	var cmds [2]*exec.Cmd
	for o.Rank = range cmds {
		if cmds[o.Rank], err = o.command(ctx, c); err != nil {
			return nil, err
		}
	}
	return p, p.start(cmds[:]...)
}

// streamOf runs two ranks over TCP and returns the nanoseconds of one message.
func streamOf(ctx context.Context, c Config, secure bool) (float64, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	o := order{Address: l.Addr().String()}
	l.Close()
	if secure {
		if o.Keys, err = newKeys(); err != nil {
			return 0, err
		}
	}
	var out bytes.Buffer
	g, ctx := errgroup.WithContext(ctx)
	for o.Rank = range 2 {
		cmd, err := o.command(ctx, c)
		if err != nil {
			return 0, err
		}
		if o.Rank == 0 {
			cmd.Stdout = &out
		}
		g.Go(cmd.Run)
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(out.String()), 64)
}

// Rank is a rank's process: it does what the order says that a measurement
// gave it as its last argument.
func Rank(doc string) error {
	var o order
	if err := json.Unmarshal([]byte(doc), &o); err != nil {
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
	if o.Address == "" {
		err = play(ctx, m, o.Pipes)
	} else {
		err = stream(ctx, m)
	}
	return errors.Join(err, m.Close(ctx))
}

func (o *order) config() (mesh.Config, error) {
	cfg := mesh.Config{ID: "bench", Rank: o.Rank, Size: 2, Dir: o.Dir, Arena: 4 * Large, Streams: streams}
	if o.Address == "" {
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

// play makes a batch of round trips for each byte that its pipe says.
func play(ctx context.Context, m *mesh.Mesh, pipes string) error {
	turns, err := os.Open(fmt.Sprintf("%s-%d", pipes, m.Rank()))
	if err != nil {
		return err
	}
	defer turns.Close()
	small, large := make([]byte, Small), bytes.Repeat([]byte{byte(m.Rank())}, Large)
	send := func(b []byte) func() error {
		return func() error { return m.Send(ctx, 1-m.Rank(), 0, b) }
	}
	hand := func() error {
		b, err := m.Alloc(ctx, Large)
		if err != nil {
			return err
		}
		return m.Hand(ctx, 1-m.Rank(), 0, b)
	}
	for what := make([]byte, 1); ; {
		if _, err := turns.Read(what); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		switch what[0] {
		case smallBatch:
			err = batch(ctx, m, Small, smallWarm, smallTrips, send(small))
		case largeBatch:
			err = batch(ctx, m, Large, 0, 1, send(large))
		default:
			err = batch(ctx, m, Large, 0, 1, hand)
		}
		if err != nil {
			return err
		}
	}
}

// batch measures round trips, the first of which do not count.
func batch(ctx context.Context, m *mesh.Mesh, n, warm, each int, send func() error) error {
	if err := trips(ctx, m, n, warm, send); err != nil {
		return err
	}
	start := time.Now()
	if err := trips(ctx, m, n, each, send); err != nil {
		return err
	}
	if m.Rank() == 0 {
		fmt.Printf("%.1f\n", float64(time.Since(start).Nanoseconds())/float64(each))
	}
	return nil
}

func trips(ctx context.Context, m *mesh.Mesh, n, count int, send func() error) error {
	for range count {
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
	big := make([]byte, Large)
	var start time.Time
	for i := range streamed + 2 {
		if i == 2 {
			start = time.Now()
		}
		if m.Rank() == 1 {
			if err := m.Send(ctx, 0, 0, big); err != nil {
				return err
			}
		} else if err := receive(ctx, m, Large); err != nil {
			return err
		}
	}
	if m.Rank() == 0 {
		fmt.Printf("%.1f\n", float64(time.Since(start).Nanoseconds())/streamed)
	}
	return nil
}
