package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// place is a Host of so much memory.
type place struct {
	memory  int64
	scratch string
}

func (p place) Memory() int64             { return p.memory }
func (p place) Limit(memory int64) int64  { return 2 * memory }
func (p place) Scratch() string           { return p.scratch }
func placeOf(t *testing.T, n int64) place { return place{n, t.TempDir()} }

// ring is a path of n vertices back to its beginning.
func ring(t *testing.T, n int) input.Split {
	t.Helper()
	var b strings.Builder
	for v := range n {
		fmt.Fprintln(&b, v, (v+1)%n)
	}
	return splitOf(t, "ring", b.String())
}

var advice = regexp.MustCompile(`^raise gang\.memory to at least (\d+Mi)(?:, or gang\.size to (\d+))?$`)

// refusal is what an error of too little memory advises: bytes, and ranks if any.
func refusal(t *testing.T, err error) (memory int64, ranks int) {
	t.Helper()
	var e *core.Error
	if !errors.As(err, &e) || e.Kind != core.Invalid || e.Where != "gang.memory" {
		t.Fatalf("%v: no refusal for want of memory", err)
	}
	m := advice.FindStringSubmatch(e.Remedy)
	if m == nil {
		t.Fatalf("the remedy is %q", e.Remedy)
	}
	b, err := core.ParseBytes(m[1])
	if err != nil {
		t.Fatal(err)
	}
	if m[2] != "" {
		if ranks, err = strconv.Atoi(m[2]); err != nil {
			t.Fatal(err)
		}
	}
	return int64(b), ranks
}

// What a refusal advises does, and a little less does not.
func TestRefusedForWhatGoesByVertex(t *testing.T) {
	const little = 4 << 20
	split := ring(t, 60_000)
	need := Need{Out: true, Room: Room{Own: 100, Others: 4}}
	_, err := tryLoad(t, 2, Config{}, need, little, input.Options{}, split)
	memory, ranks := refusal(t, err)
	if ranks < 3 {
		t.Fatalf("%v advises %d ranks", err, ranks)
	}
	if _, err := tryLoad(t, 2, Config{}, need, memory, input.Options{}, split); err != nil {
		t.Errorf("with %d bytes: %v", memory, err)
	}
	if _, err := tryLoad(t, 2, Config{}, need, memory-2<<20, input.Options{}, split); err == nil {
		t.Errorf("%d bytes are more than it takes", memory)
	}
	if _, err := tryLoad(t, ranks, Config{}, need, little, input.Options{}, split); err != nil {
		t.Errorf("on %d ranks: %v", ranks, err)
	}
	if _, err := tryLoad(t, ranks-1, Config{}, need, little, input.Options{}, split); err == nil {
		t.Errorf("%d ranks are more than it takes", ranks)
	}
}

// What each rank has of all vertices gets no less with more ranks.
func TestRanksAreNoRemedy(t *testing.T) {
	split := ring(t, 60_000)
	_, err := tryLoad(t, 2, Config{}, Need{Out: true, Room: Room{Own: 100, Others: 100}}, 4<<20, input.Options{}, split)
	if _, ranks := refusal(t, err); ranks != 0 {
		t.Errorf("%v advises %d ranks", err, ranks)
	}
	// Ids that leave holes: the load itself takes too much.
	var b strings.Builder
	for v := range 40_000 {
		fmt.Fprintln(&b, v, 5*v)
	}
	_, err = tryLoad(t, 2, Config{}, Need{Out: true}, 4<<20, input.Options{}, splitOf(t, "holes", b.String()))
	if _, ranks := refusal(t, err); ranks != 0 {
		t.Errorf("%v advises %d ranks", err, ranks)
	}
}

// Rows that would have fitted lie in files where the program needs the memory.
func TestRowsMakeRoom(t *testing.T) {
	split := ring(t, 60_000)
	for room, mapped := range map[Room]bool{{}: false, {Own: 66}: true, {Entry: 34}: true} {
		l, err := tryLoad(t, 2, Config{}, Need{Out: true, Room: room}, 4<<20, input.Options{}, split)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range l.parts {
			rows := int64(4 * len(p.Out.Targets))
			held := int64(p.N()) * (4 + 4 + 8 + room.Own)
			if !mapped {
				held += rows
			}
			if p.Mapped() != mapped || p.Left() != 5<<19-held {
				t.Errorf("%+v: mapped %v, %d bytes left of %d less %d", room, p.Mapped(), p.Left(), 5<<19, held)
			}
			again, err := Restore(bytes.NewReader(saved(t, p)), Need{Out: true, Room: room}, placeOf(t, 5<<19))
			if err != nil {
				t.Fatal(err)
			}
			if again.Mapped() != mapped || again.Left() != p.Left() {
				t.Errorf("%+v restored: mapped %v, %d bytes left of %d", room, again.Mapped(), again.Left(), p.Left())
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
			_, err = Restore(bytes.NewReader(saved(t, p)), Need{Room: Room{Own: 1000}}, placeOf(t, 5<<19))
			refusal(t, err)
		}
	}
}

func TestClaims(t *testing.T) {
	var claimed error
	g := peertest.Gang{Size: 1, Program: func() peer.Program {
		return peer.Func(func(ctx context.Context, p *peer.Peer) error {
			part, err := Load(ctx, p, Config{}, Need{Out: true})
			if err != nil {
				return err
			}
			defer part.Close()
			if err := part.Claim(part.Left()); err != nil || part.Left() != 0 {
				t.Errorf("all that is left was claimed: %v, %d are left", err, part.Left())
			}
			claimed = part.Claim(64 << 20)
			return nil
		})
	}, Config: func(_ int, c *peer.Config) {
		c.Memory, c.Splits = 4<<20, []input.Split{ring(t, 1000)}
	}}
	g.Run(t)
	if memory, ranks := refusal(t, claimed); memory < 64<<20*8/5 || ranks < 25 {
		t.Errorf("%v", claimed)
	}
	if left := (&Partition{}).Left(); left != math.MaxInt64 {
		t.Errorf("%d bytes are left of memory that nobody counts", left)
	}
}

func TestLogShrinks(t *testing.T) {
	l := &edgeLog{budget: math.MaxInt64, scratch: t.TempDir()}
	defer l.close()
	const edges = 3*chunkEdges + 7
	for i := range uint32(edges) {
		c, err := l.room()
		if err != nil {
			t.Fatal(err)
		}
		c.source[c.n], c.target[c.n] = i, i+1
		c.n++
	}
	for _, full := range []int{3, 1, 0} {
		if err := l.shrink(int64(full) * 8 * chunkEdges); err != nil {
			t.Fatal(err)
		}
		if len(l.full) != full || l.stored != 3-full {
			t.Fatalf("%d chunks in memory and %d in the file, not %d in memory", len(l.full), l.stored, full)
		}
		seen := make([]bool, edges)
		if err := l.each(false, func(c *chunk) error {
			for i, v := range c.source[:c.n] {
				if seen[v] || c.target[i] != v+1 {
					return fmt.Errorf("edge %d to %d", v, c.target[i])
				}
				seen[v] = true
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for v, is := range seen {
			if !is {
				t.Fatalf("edge %d is lost", v)
			}
		}
	}
}
