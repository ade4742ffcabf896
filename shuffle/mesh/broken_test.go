package mesh

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/shuffle/mesh/shm"
)

// TestBrokenRing writes nonsense into the memory that two ranks share: both
// find each other lost.
func TestBrokenRing(t *testing.T) {
	for name, spoil := range map[string]func(mem []byte){
		"frame": func(mem []byte) { binary.LittleEndian.PutUint64(mem[shm.RingOverhead+8:], 1<<50) },
		"label": func(mem []byte) {
			binary.LittleEndian.PutUint64(mem[shm.RingOverhead:], ^uint64(0))
			binary.LittleEndian.PutUint64(mem[shm.RingOverhead+8:], 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, m := twoRanks(t)
			var group errgroup.Group
			for range 3 {
				group.Go(func() error {
					_, err := m[1].Recv(ctx, 0, 5)
					return wantLost(err)
				})
			}
			lane := m[0].links[1].Load().link.(*wire).data.(*shared)
			spoil(lane.far.regions[0].Bytes()) // begins with the ring from 0 to 1
			lane.w.control.post(kindDoorbell, 0, nil)
			_, err := m[1].Recv(ctx, Any, 5)
			if err := errors.Join(wantLost(err), group.Wait()); err != nil {
				t.Error(err)
			}
			_, err = m[0].Recv(ctx, 1, 5)
			if err := wantLost(err); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBrokenRoom writes nonsense where a sender looks for room.
func TestBrokenRoom(t *testing.T) {
	ctx, m := twoRanks(t)
	mem := m[0].links[1].Load().link.(*wire).data.(*shared).far.regions[0].Bytes()
	binary.LittleEndian.PutUint64(mem, 1<<50)
	for {
		if err := m[0].Send(ctx, 1, 4, make([]byte, 10<<10)); err != nil {
			if err := wantLost(err); err != nil {
				t.Error(err)
			}
			break
		}
	}
	_, err := m[1].Recv(ctx, 0, 5)
	if err := wantLost(err); err != nil {
		t.Error(err)
	}
}

func wantLost(err error) error {
	if !errors.Is(err, ErrLost) {
		return errors.Join(errors.New("want a lost rank"), err)
	}
	return nil
}

func twoRanks(t *testing.T) (context.Context, [2]*Mesh) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	dir := t.TempDir()
	var m [2]*Mesh
	var group errgroup.Group
	for r := range m {
		group.Go(func() (err error) {
			m[r], err = Join(ctx, Config{ID: "test", Rank: r, Size: 2, Dir: dir, Places: []Place{{Host: "h"}, {Host: "h"}}})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m[0].Abort()
		m[1].Abort()
	})
	return ctx, m
}
