package meshtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/shuffle/mesh"
)

// Make returns the configurations of a gang of size ranks that can join.
type Make func(t testing.TB, size int) []mesh.Config

// Gang is ranks that have joined.
type Gang []*mesh.Mesh

// Join joins all ranks of a gang. They are closed at the test's end if the
// test has not.
func Join(t testing.TB, configs []mesh.Config) Gang {
	t.Helper()
	ctx := Deadline(t)
	g := make(Gang, len(configs))
	var group errgroup.Group
	for r := range configs {
		group.Go(func() (err error) {
			g[r], err = mesh.Join(ctx, configs[r])
			return err
		})
	}
	err := group.Wait()
	t.Cleanup(func() {
		for _, m := range g {
			if m != nil {
				m.Abort()
			}
		}
	})
	if err != nil {
		t.Fatalf("join: %v", err)
	}
	return g
}

// Deadline ends what hangs.
func Deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// Close closes all ranks together.
func (g Gang) Close(t testing.TB) {
	t.Helper()
	ctx := Deadline(t)
	var group errgroup.Group
	for _, m := range g {
		group.Go(func() error { return m.Close(ctx) })
	}
	if err := group.Wait(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// payload is n bytes that tell their sender and number apart from all others.
func payload(from, seq, n int) []byte {
	b := make([]byte, (n+15)&^7)
	x := uint64(from)<<40 ^ uint64(seq)<<8 ^ uint64(n)*0x9e3779b97f4a7c15
	for i := 0; i+8 <= len(b); i += 8 {
		x = x*6364136223846793005 + 1442695040888963407
		binary.LittleEndian.PutUint64(b[i:], x)
	}
	return b[:n]
}

// check says what is wrong with a message.
func check(m *mesh.Message, from, seq, n int) error {
	switch {
	case m.From != from:
		return fmt.Errorf("message of rank %d, want %d", m.From, from)
	case len(m.Bytes()) != n:
		return fmt.Errorf("message %d of rank %d has %d bytes, want %d", seq, from, len(m.Bytes()), n)
	case !bytes.Equal(m.Bytes(), payload(from, seq, n)):
		return fmt.Errorf("message %d of rank %d, %d bytes, holds other bytes than were sent", seq, from, n)
	}
	return nil
}

// expect receives one message and checks it.
func expect(ctx context.Context, m *mesh.Mesh, from int, tag mesh.Tag, seq, n int) error {
	msg, err := m.Recv(ctx, from, tag)
	if err != nil {
		return fmt.Errorf("receive message %d of rank %d: %w", seq, from, err)
	}
	defer msg.Release()
	return check(msg, from, seq, n)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
