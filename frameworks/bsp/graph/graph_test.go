package graph

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/graphtest"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// edge is an edge by ids.
type edge struct {
	from, to string
	weight   float64
}

// loaded is the graph that a gang has together.
type loaded struct {
	vertices []string
	out, in  []edge // sorted
	parts    []*Partition
}

func splitOf(t testing.TB, name, text string) input.Split {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := input.File{URL: input.FileURL(path), Size: int64(len(text))}
	return input.Split{Ranges: []input.Range{{File: f, Length: f.Size}}, Bytes: f.Size}
}

// tryLoad loads files, which the ranks share, and puts the partitions together.
func tryLoad(t testing.TB, size int, c Config, need Need, memory int64, reading input.Options, splits ...input.Split) (*loaded, error) {
	t.Helper()
	parts := make([]*Partition, size)
	g := peertest.Gang{Size: size,
		Program: func() peer.Program {
			return peer.Func(func(ctx context.Context, p *peer.Peer) error {
				part, err := Load(ctx, p, c, need)
				parts[p.Rank()] = part
				return err
			})
		},
		Config: func(rank int, pc *peer.Config) {
			pc.Memory, pc.Reading, pc.Cores = memory, reading, 2
			for i, s := range splits {
				if i%size == rank {
					pc.Splits = append(pc.Splits, s)
				}
			}
		},
	}
	if _, err := g.Try(t); err != nil {
		return nil, err
	}
	l := &loaded{parts: parts}
	if parts[0].Entries < 100_000 {
		l.collect()
	}
	t.Cleanup(func() {
		for _, p := range parts {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return l, nil
}

func loadAll(t testing.TB, size int, c Config, need Need, splits ...input.Split) *loaded {
	t.Helper()
	l, err := tryLoad(t, size, c, need, 0, input.Options{}, splits...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *loaded) collect() {
	ids := map[uint32]string{}
	for _, p := range l.parts {
		for v := range p.N() {
			ids[p.First()+uint32(v)] = p.IDs.String(v)
			l.vertices = append(l.vertices, p.IDs.String(v))
		}
	}
	slices.Sort(l.vertices)
	rows := func(c *CSR, name func(row int) string, into *[]edge, backward bool) {
		if c == nil {
			return
		}
		for v := range c.Vertices() {
			for i, target := range c.Row(v) {
				e := edge{name(v), ids[target], 1}
				if c.Weights != nil {
					e.weight = c.RowWeights(v)[i]
				}
				if backward {
					e.from, e.to = e.to, e.from
				}
				*into = append(*into, e)
			}
		}
	}
	for _, p := range l.parts {
		own := func(v int) string { return ids[p.First()+uint32(v)] }
		cut := func(i int) string { return ids[p.Cut[i]] }
		rows(p.Out, own, &l.out, false)
		rows(p.CutOut, cut, &l.out, false)
		rows(p.In, own, &l.in, true)
		rows(p.CutIn, cut, &l.in, true)
	}
	sortEdges(l.out)
	sortEdges(l.in)
}

func sortEdges(edges []edge) {
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(strings.Compare(a.from, b.from), strings.Compare(a.to, b.to), cmp.Compare(a.weight, b.weight))
	})
}

func TestLayouts(t *testing.T) {
	weighted := Config{Directed: true, Weighted: true}
	list := Config{Directed: true, Layout: Adjacency}
	weightedList := Config{Directed: true, Layout: Adjacency, Weighted: true}
	for name, c := range map[string]struct {
		config   Config
		text     string
		vertices string
		edges    string
	}{
		"blanks":      {Config{Directed: true}, "# a comment\n1 2\n\n2  3\n% another\n3\t1\r\n1,3\n", "[1 2 3]", "[{1 2 1} {1 3 1} {2 3 1} {3 1 1}]"},
		"doubles":     {Config{Directed: true}, "1 2\n1 2\n2 2\n", "[1 2]", "[{1 2 1} {1 2 1} {2 2 1}]"},
		"undirected":  {Config{}, "1 2\n2 2\n", "[1 2]", "[{1 2 1} {2 1 1} {2 2 1}]"},
		"more fields": {Config{Directed: true}, "1 2 0.5 x\n2 1\n", "[1 2]", "[{1 2 1} {2 1 1}]"},
		"weights":     {weighted, "1 2 0.5\n2 1 -3e2\n1 2 7\n", "[1 2]", "[{1 2 0.5} {1 2 7} {2 1 -300}]"},
		"adjacency":   {list, "1 2 3\n2\n4 1\n", "[1 2 3 4]", "[{1 2 1} {1 3 1} {4 1 1}]"},
		"lists":       {weightedList, "1 2:1.5 3:2\n5\n", "[1 2 3 5]", "[{1 2 1.5} {1 3 2}]"},
		"texts":       {Config{Directed: true}, "a b\nb\tc d\n1,2\n", "[1 2 a b c d]", "[{1 2 1} {a b 1} {b c d 1}]"},
		"far apart":   {Config{Directed: true}, "-5 9223372036854775807\n7 -5\n", "[-5 7 9223372036854775807]", "[{-5 9223372036854775807 1} {7 -5 1}]"},
		"large":       {Config{Directed: true}, "12345678 1234567890\n4294967295 4294967294\n", "[12345678 1234567890 4294967294 4294967295]", "[{12345678 1234567890 1} {4294967295 4294967294 1}]"},
		"leading 0":   {Config{Directed: true}, "007 1\n", "[1 7]", "[{7 1 1}]"},
		"as texts":    {Config{Directed: true, IDs: Strings}, "007 1\n", "[007 1]", "[{007 1 1}]"},
		"no line end": {Config{Directed: true}, "1 2\n2 1", "[1 2]", "[{1 2 1} {2 1 1}]"},
		"nothing":     {Config{}, "# nothing\n", "[]", "[]"},
	} {
		for _, size := range []int{1, 3} {
			l := loadAll(t, size, c.config, Need{Out: true, In: true, Weights: true}, splitOf(t, "f", c.text))
			if got := fmt.Sprint(l.vertices); got != c.vertices {
				t.Errorf("%s, %d ranks: vertices %s, want %s", name, size, got, c.vertices)
			}
			if got := fmt.Sprint(l.out); got != c.edges {
				t.Errorf("%s, %d ranks: edges %s, want %s", name, size, got, c.edges)
			}
			if c.config.Directed && !reflect.DeepEqual(l.in, l.out) {
				t.Errorf("%s, %d ranks: backward %v, want %v", name, size, l.in, l.out)
			}
		}
	}
}

func TestTables(t *testing.T) {
	s := splitOf(t, "f.csv", "kind,w,from,to\nx,1.5,7,9\ny,2,9,7\n")
	for _, name := range []string{"kind", "w", "from", "to"} {
		s.Columns = append(s.Columns, input.Column{Name: name, Type: "utf8"})
	}
	c := Config{Directed: true, Weighted: true, Source: "from", Target: "to", Weight: "w"}
	l, err := tryLoad(t, 2, c, Need{Out: true, Weights: true}, 0, input.Options{Format: "csv"}, s)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(l.out); got != "[{7 9 1.5} {9 7 2}]" {
		t.Errorf("edges %s", got)
	}
	c.Source = "form"
	_, err = tryLoad(t, 1, c, Need{Out: true}, 0, input.Options{Format: "csv"}, s)
	if e := core.AsError(err); e == nil || e.Where != "spec.graph.source" || !strings.Contains(e.Remedy, "from") {
		t.Errorf("error %+v", err)
	}
}

func TestBadLines(t *testing.T) {
	for text, want := range map[string]string{
		"1 2\n3\n":              "at byte 4: bad record: it has one field",
		"1 2\n\n3 x\n":          `at byte 5: bad record: "x" is no integer`,
		"1 2\n3 4.5\n":          `at byte 4: bad record: "4.5" is no integer`,
		"1 9223372036854775808": "is no integer id",
	} {
		_, err := tryLoad(t, 2, Config{IDs: Integers}, Need{Out: true}, 0, input.Options{}, splitOf(t, "f", text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
	var bad []string
	o := input.Options{Bad: func(b input.Bad) error { bad = append(bad, fmt.Sprint(b.Offset, " ", string(b.Sample))); return nil }}
	l, err := tryLoad(t, 1, Config{Directed: true, Weighted: true, IDs: Integers}, Need{Out: true, Weights: true}, 0, o,
		splitOf(t, "f", "1 2 3\n1 2\n1 2 NaN\nx 2 3\n2 1 4\n"))
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(l.out) != "[{1 2 3} {2 1 4}]" || fmt.Sprint(bad) != "[6 1 2 10 1 2 NaN 18 x 2 3]" {
		t.Errorf("edges %v, bad %v", l.out, bad)
	}
}

// Little memory makes logs, buckets and rows go to files, and many rounds of
// the exchange. The partitions are the same, to the byte.
func TestMemoryDoesNotMatter(t *testing.T) {
	var text bytes.Buffer
	for _, e := range graphtest.RMAT(12, 128, 3) {
		fmt.Fprintln(&text, e.Source, e.Target, e.Weight)
	}
	splits := []input.Split{splitOf(t, "f", text.String())}
	for _, c := range []Config{{}, {Directed: true, Weighted: true}} {
		need := Need{Out: true, In: true, Weights: true, Cut: true}
		plain := loadAll(t, 2, c, need, splits...)
		small, err := tryLoad(t, 2, c, need, 4<<20, input.Options{}, splits...)
		if err != nil {
			t.Fatal(err)
		}
		for r, p := range small.parts {
			if !p.Mapped() || plain.parts[r].Mapped() {
				t.Errorf("rank %d: mapped %v, with memory %v", r, p.Mapped(), plain.parts[r].Mapped())
			}
			if !bytes.Equal(saved(t, p), saved(t, plain.parts[r])) {
				t.Errorf("rank %d: the partitions differ", r)
			}
		}
	}
}

func saved(t testing.TB, p *Partition) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSavedAndRestored(t *testing.T) {
	var text strings.Builder
	for _, e := range graphtest.RMAT(8, 8, 3) {
		fmt.Fprintln(&text, e.Source, e.Target, e.Weight)
	}
	for name, c := range map[string]Config{"plain": {}, "directed": {Directed: true, Weighted: true}, "texts": {IDs: Strings, Partition: ByRange}} {
		l := loadAll(t, 3, c, Need{Out: true, In: true, Weights: true, Cut: true}, splitOf(t, "f", text.String()))
		for _, p := range l.parts {
			for _, entry := range []int64{0, 1 << 40} {
				again, err := Restore(bytes.NewReader(saved(t, p)), Need{Out: true, In: true, Room: Room{Entry: entry}}, placeOf(t, 1<<30))
				if err != nil {
					t.Fatal(err)
				}
				if again.Mapped() != (entry > 0) || !bytes.Equal(saved(t, again), saved(t, p)) {
					t.Errorf("%s, room %d: it is another after being restored", name, entry)
				}
				if err := again.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if _, err := Restore(strings.NewReader("\x02\x00\x00\x00\x00\x00\x00\x00{}"), Need{}, placeOf(t, 0)); err == nil {
		t.Error("what is no partition was restored")
	}
}

// A vertex with most of all edges: its edges are shared out, and no rank has
// much more than another.
func TestHubIsCut(t *testing.T) {
	var text strings.Builder
	for v := range 4000 {
		fmt.Fprintln(&text, v, 4242)
		fmt.Fprintln(&text, v, (v*7919)%4000)
	}
	l := loadAll(t, 4, Config{Directed: true}, Need{In: true, Cut: true}, splitOf(t, "f", text.String()))
	if p := l.parts[0]; len(p.Cut) != 1 {
		t.Fatalf("%d vertices are cut", len(p.Cut))
	}
	for r, p := range l.parts {
		if n := p.In.Edges() + p.CutIn.Edges(); n < 1800 || n > 2200 {
			t.Errorf("rank %d has %d edges of 8000", r, n)
		}
	}
	if len(l.in) != 8000 {
		t.Errorf("%d edges", len(l.in))
	}
}

func TestOwners(t *testing.T) {
	for _, bounds := range [][]uint32{{0, 4}, {0, 0, 3, 3, 9}, {0, 1, 2, 2, 2, 5, 6, 7, 8, 9, 11, 11}} {
		for r := range bounds[1:] {
			for v := bounds[r]; v < bounds[r+1]; v++ {
				if got := owner(bounds, v); got != r {
					t.Errorf("bounds %v: %d is owned by %d, not %d", bounds, v, got, r)
				}
			}
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("1 2\n3\t4 5\n# x\n123456789012 3\n"))
	f.Add([]byte("1,2\r\n00000000001 2\n12345678 123456789\n4294967295 1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		// The quick reader and the careful one take the same lines.
		quick := newReader(Config{Layout: Edges, Directed: true}, input.Options{Bad: func(input.Bad) error { return nil }}, false, math.MaxInt64, "")
		careful := newReader(Config{Layout: Edges, Directed: true}, input.Options{Bad: func(input.Bad) error { return nil }}, false, math.MaxInt64, "")
		defer quick.log.close()
		defer careful.log.close()
		data := append(bytes.Clone(text), '\n')
		if err := quick.block(input.Block{Data: data}, quick.edgeLine); err != nil {
			t.Fatal(err)
		}
		for _, line := range bytes.Split(data, []byte("\n")) {
			if err := careful.line(line, careful.edgeLine); err != nil {
				t.Fatal(err)
			}
			careful.bad = ""
		}
		if a, b := edgesOf(quick), edgesOf(careful); !slices.Equal(a, b) {
			t.Fatalf("%q: %v, carefully %v", text, a, b)
		}
	})
}

func edgesOf(r *reader) []int64 {
	var all []int64
	_ = r.log.each(false, func(c *chunk) error {
		for i := range c.n {
			for _, v := range []uint32{c.source[i], c.target[i]} {
				id := int64(v)
				if r.ints != nil {
					id = r.ints.keys[v]
				}
				all = append(all, id)
			}
		}
		return nil
	})
	return all
}

// TestLoadEndsWithASync: who looks at supersteps sees the whole load as such, and
// nothing of it in what follows.
func TestLoadEndsWithASync(t *testing.T) {
	split := splitOf(t, "edges", "1 2\n2 3\n")
	var loaded int64
	r := peertest.Run(t, 2, func() peer.Program {
		return peer.Func(func(ctx context.Context, p *peer.Peer) error {
			part, err := Load(ctx, p, Config{}, Need{Out: true})
			if err != nil {
				return err
			}
			defer part.Close()
			if p.Rank() == 0 {
				loaded = p.Superstep()
			}
			return p.Sync(ctx)
		})
	}, func(rank int, c *peer.Config) {
		if rank == 0 {
			c.Splits = []input.Split{split}
		}
	})
	for _, s := range r.Supersteps {
		if !s.Ended && s.Loading != (s.Number < loaded) {
			t.Errorf("superstep %d of a load of %d: loading %t", s.Number, loaded, s.Loading)
		}
	}
	if n := int64(len(r.Supersteps)); n != loaded+2 { // the program's own, and the end
		t.Errorf("%d supersteps, %d of them loaded", n, loaded)
	}
}
