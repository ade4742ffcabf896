package waits_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/frameworks/mpi/waits"
)

func TestWords(t *testing.T) {
	for _, c := range []struct {
		w    waits.Wait
		want string
	}{
		{waits.Wait{Op: "Recv", Peers: []int{3}, Tag: 7}, "Recv from rank 3, tag 7"},
		{waits.Wait{Op: "Recv", Tag: -1, Name: "world"}, "Recv from any rank"},
		{waits.Wait{Op: "Send", Peers: []int{0}, Tag: 1, Name: "world/2"}, "Send to rank 0, tag 1 of world/2"},
		{waits.Wait{Op: "Barrier", Peers: []int{1, 2}, Tag: -1}, "Barrier for one of ranks 1, 2"},
	} {
		if got := c.w.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func on(peers ...int) waits.Wait { return waits.Wait{Op: "Recv", Peers: peers} }

func TestCycle(t *testing.T) {
	for _, c := range []struct {
		name  string
		waits map[int]waits.Wait
		want  []int
	}{
		{"nobody waits", nil, nil},
		{"two for each other", map[int]waits.Wait{0: on(1), 1: on(0)}, []int{0, 1}},
		{"for itself", map[int]waits.Wait{2: on(2)}, []int{2}},
		{"a chain to one that works", map[int]waits.Wait{0: on(1), 1: on(2)}, nil},
		{"a cycle with a tail", map[int]waits.Wait{0: on(3), 3: on(2), 2: on(1), 1: on(3)}, []int{1, 3, 2}},
		{"one of them would do", map[int]waits.Wait{0: on(1, 2), 1: on(0)}, nil},
		{"neither of them can", map[int]waits.Wait{0: on(1, 2), 1: on(0), 2: on(1)}, []int{0, 1}},
		{"all for anybody", map[int]waits.Wait{0: on(), 1: on()}, []int{0, 1}},
	} {
		if got := waits.Cycle(c.waits); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestStuckForGood: whoever is named waits only for ranks that are named, and
// whoever is not can go on when those before it have.
func TestStuckForGood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 7).Draw(t, "size")
		all := map[int]waits.Wait{}
		for r := range size {
			if rapid.Bool().Draw(t, "waits") {
				all[r] = on(rapid.SliceOfN(rapid.IntRange(0, size-1), 1, 3).Draw(t, "for")...)
			}
		}
		stuck := waits.Deadlock(all, size)
		for _, r := range stuck {
			for _, p := range all[r].Peers {
				if !slices.Contains(stuck, p) {
					t.Fatalf("%d is stuck and waits for %d, which is not", r, p)
				}
			}
		}
		if cycle := waits.Cycle(all); (len(cycle) == 0) != (len(stuck) == 0) {
			t.Fatalf("%v are stuck and the cycle is %v", stuck, cycle)
		} else {
			for i, r := range cycle {
				if next := cycle[(i+1)%len(cycle)]; !slices.Contains(all[r].Peers, next) {
					t.Fatalf("in the cycle %v rank %d does not wait for %d", cycle, r, next)
				}
			}
		}
	})
}

func TestPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	w, err := waits.Map(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	read := func() (waits.Wait, bool) {
		page, err := os.ReadFile(path)
		if err != nil || len(page) != waits.Size {
			t.Fatal(len(page), err)
		}
		return waits.Read(page)
	}
	if x, ok := read(); ok {
		t.Errorf("a fresh page says %v", x)
	}
	for i := range 3 {
		if err := w.Set(on(i)); err != nil {
			t.Fatal(err)
		}
		if x, ok := read(); !ok || x.Number != uint64(i+1) || x.Peers[0] != i {
			t.Errorf("the page says %+v, %v", x, ok)
		}
	}
	if err := w.Set(on(make([]int, 5000)...)); err != nil {
		t.Fatal(err)
	}
	if x, ok := read(); !ok || len(x.Peers) != 0 {
		t.Errorf("a long list: %+v, %v", x, ok)
	}
	if err := w.Clear(); err != nil {
		t.Fatal(err)
	}
	if x, ok := read(); ok {
		t.Errorf("a cleared page says %v", x)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00\x0c\x00\x00\x00{\"op\":\"Rec\"}"))
	f.Fuzz(func(t *testing.T, page []byte) {
		if w, ok := waits.Read(page); ok {
			_ = w.String()
			waits.Cycle(map[int]waits.Wait{0: w})
		} else if w.Op != "" {
			t.Error("something of a page that says nothing")
		}
	})
}
