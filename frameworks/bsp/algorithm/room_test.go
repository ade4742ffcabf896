package algorithm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// onGraphs are all algorithms that read a graph, with what they must be told.
func onGraphs() map[string]map[string]any {
	with := map[string]map[string]any{}
	for _, a := range All() {
		if a.Records() || a.Alone() {
			continue
		}
		with[a.Name] = nil
		switch a.Name {
		case "bfs", "sssp":
			with[a.Name] = map[string]any{"source": "1"}
		case "personalised-pagerank":
			with[a.Name] = map[string]any{"sources": []any{"1"}, "iterations": 3}
		case "pagerank":
			with[a.Name] = map[string]any{"iterations": 3}
		case "cdlp":
			with[a.Name] = map[string]any{"iterations": 3}
		case "matvec":
			with[a.Name] = map[string]any{"iterations": 3}
		case "randomwalk":
			with[a.Name] = map[string]any{"length": 4, "result": resultVisits}
		}
	}
	return with
}

// chance is a graph of n vertices, each with so many edges to any others.
func chance(t testing.TB, n, each int) []input.Split {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for v := range n {
		for range each {
			fmt.Fprintln(&b, v, r.IntN(n))
		}
	}
	return splitsOf(t, b.String(), 2)
}

// heap is the most that a gang's ranks held at once, garbage aside, at the
// barriers after the graph was there.
type heap struct {
	mu   sync.Mutex
	most int64
}

func (h *heap) observe(s peer.Superstep) {
	if s.Loading || s.Ended {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.most = max(h.most, inUse())
}

func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// inMemory runs an algorithm on two ranks of so much memory each. It returns the
// sorted lines, none where observe is told of supersteps, and whether rows lay in
// files.
func inMemory(t *testing.T, name string, with map[string]any, splits []input.Split, memory int64, observe func(peer.Superstep)) (rows []peertest.Row, mapped bool, err error) {
	t.Helper()
	result, err := peertest.Gang{Size: 2,
		Program: func() peer.Program {
			p, err := New(name, Setup{With: with})
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
		Config: func(rank int, c *peer.Config) {
			c.Cores, c.Memory, c.Splits = 1, memory, splits[rank:rank+1]
			if observe != nil {
				c.Observe, c.Output = observe, nowhere{} // lines would be held with the rest
			}
		},
	}.Try(t)
	if err != nil {
		return nil, false, err
	}
	for _, p := range result.Programs {
		g := p.(interface{ base() *graphProgram }).base()
		mapped = mapped || g.part.Mapped()
		if err := g.drop(); err != nil {
			t.Error(err)
		}
	}
	rows = slices.Concat(result.Rows...)
	slices.SortFunc(rows, func(a, b peertest.Row) int {
		return strings.Compare(a.Key+"\x00"+a.Value, b.Key+"\x00"+b.Value)
	})
	return rows, mapped, nil
}

var atLeastMemory = regexp.MustCompile(`^raise gang\.memory to at least (\d+Mi)`)

// advised is the memory that a refusal says would do.
func advised(t *testing.T, err error) int64 {
	t.Helper()
	var e *core.Error
	if !errors.As(err, &e) || e.Kind != core.Invalid || e.Where != "gang.memory" {
		t.Fatalf("%v: no refusal for want of memory", err)
	}
	m := atLeastMemory.FindStringSubmatch(e.Remedy)
	if m == nil {
		t.Fatalf("the remedy is %q", e.Remedy)
	}
	b, err := core.ParseBytes(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return int64(b)
}

// alike compares lines; numbers that are sums may differ in rounding.
func alike(a, b []peertest.Row) bool {
	return slices.EqualFunc(a, b, func(a, b peertest.Row) bool {
		if a == b {
			return true
		}
		x, errX := strconv.ParseFloat(a.Value, 64)
		y, errY := strconv.ParseFloat(b.Value, 64)
		return a.Key == b.Key && errX == nil && errY == nil && x-y <= 1e-6*y && y-x <= 1e-6*y
	})
}

// Of many vertices, every algorithm is refused in little memory, and with what the
// refusal advises it ends with the right answer, within that memory.
func TestRoomIsWhatIsHeld(t *testing.T) {
	splits := chance(t, 150_000, 1)
	for name, with := range onGraphs() {
		t.Run(name, func(t *testing.T) {
			want, _, err := inMemory(t, name, with, splits, 1<<30, nil)
			if err != nil {
				t.Fatal(err)
			}
			memory, refusals := int64(4<<20), 0
			for {
				got, _, err := inMemory(t, name, with, splits, memory, nil)
				if err != nil {
					if refusals++; refusals > 4 {
						t.Fatalf("what is advised does not do: %v", err)
					}
					memory = advised(t, err)
					continue
				}
				if !alike(got, want) {
					t.Errorf("with %d MiB the answer is another", memory>>20)
				}
				break
			}
			var h heap
			before := inUse()
			if _, _, err := inMemory(t, name, with, splits, memory, h.observe); err != nil {
				t.Fatal(err)
			}
			held := h.most - before
			t.Logf("%d refusals, %d MiB for each rank, two held %d MiB", refusals, memory>>20, held>>20)
			if refusals == 0 {
				t.Error("4 MiB were enough")
			}
			if held > 2*memory {
				t.Errorf("two ranks held %d bytes, with %d each", held, memory)
			}
			if held < memory/8 {
				t.Errorf("two ranks held %d bytes, and were said to need %d each", held, memory)
			}
		})
	}
}

// Of few vertices and many edges, every algorithm ends with the right answer, its
// rows in files, but those that need memory for each edge: they may be refused.
func TestManyEdgesInLittleMemory(t *testing.T) {
	splits := chance(t, 2000, 350)
	for name, with := range onGraphs() {
		t.Run(name, func(t *testing.T) {
			want, _, err := inMemory(t, name, with, splits, 1<<30, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, mapped, err := inMemory(t, name, with, splits, 4<<20, nil)
			switch perEdge := slices.Contains([]string{"kcore", "matching", "randomwalk", "triangles", "lcc"}, name); {
			case err != nil && perEdge:
				if got, _, err = inMemory(t, name, with, splits, advised(t, err), nil); err != nil || !alike(got, want) {
					t.Errorf("with the memory that was advised: %v", err)
				}
			case err != nil:
				t.Error(err)
			case !mapped:
				t.Error("no rows lie in files")
			case !alike(got, want):
				t.Error("the answer is another")
			}
		})
	}
}
