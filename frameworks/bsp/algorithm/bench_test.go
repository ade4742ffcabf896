package algorithm

import (
	"bufio"
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/graphtest"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

var scale = flag.Int("scale", 12, "of the R-MAT graph that benchmarks run on; edge factor 16")

// kronecker is an R-MAT graph of that scale, undirected, without loops and
// repeats.
func kronecker(scale int) [][2]uint32 {
	var edges [][2]uint32
	for _, e := range graphtest.RMAT(scale, 16, 1) {
		if e.Source != e.Target {
			edges = append(edges, [2]uint32{min(e.Source, e.Target), max(e.Source, e.Target)})
		}
	}
	slices.SortFunc(edges, func(a, b [2]uint32) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	return slices.Compact(edges)
}

// edgeSplits writes edges to a file of text.
func edgeSplits(b testing.TB, edges [][2]uint32) []input.Split {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "edges.txt"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	var line []byte
	for _, e := range edges {
		line = append(strconv.AppendUint(line[:0], uint64(e[0]), 10), ' ')
		line = append(strconv.AppendUint(line, uint64(e[1]), 10), '\n')
		if _, err := w.Write(line); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		b.Fatal(err)
	}
	f := input.File{URL: input.FileURL(file.Name()), Size: info.Size()}
	var splits []input.Split
	for i := range int64(32) {
		from, to := f.Size*i/32, f.Size*(i+1)/32
		splits = append(splits, input.Split{Ranges: []input.Range{{File: f, Offset: from, Length: to - from}}, Bytes: to - from})
	}
	return splits
}

// onLoaded runs a program on a graph that is loaded already, and notes how long
// that took.
type onLoaded struct {
	program interface {
		peer.Program
		base() *graphProgram
	}
	took func(time.Duration)
}

func (g *graphProgram) base() *graphProgram { return g }

func (l *onLoaded) Run(ctx context.Context, p *peer.Peer) error {
	g := l.program.base()
	var err error
	if g.part, err = graph.Load(ctx, p, g.config, g.need); err != nil {
		return err
	}
	defer g.drop()
	if err := p.Sync(ctx); err != nil {
		return err
	}
	began := time.Now()
	err = l.program.Run(ctx, p)
	if p.Rank() == 0 {
		l.took(time.Since(began))
	}
	return err
}

// nowhere is an output that keeps nothing.
type nowhere struct{}

func (nowhere) WriteKV(_, _ []byte) error      { return nil }
func (nowhere) WriteRecord(arrow.Record) error { return nil }
func (nowhere) Seal() ([]byte, error)          { return nil, nil }
func (nowhere) Rewind([]byte) error            { return nil }

// BenchmarkAlgorithms runs algorithms on ranks of one core each. It reports
// seconds without loading the graph and without writing files.
func BenchmarkAlgorithms(b *testing.B) {
	edges := kronecker(*scale)
	splits := edgeSplits(b, edges)
	for _, use := range []string{"cdlp", "lcc", "triangles", "kcore", "scc", "matching", "mst", "matvec", "randomwalk"} {
		for _, size := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/%d", use, size), func(b *testing.B) {
				for b.Loop() {
					peertest.Run(b, size, func() peer.Program {
						program, err := New(use, Setup{})
						if err != nil {
							b.Fatal(err)
						}
						return &onLoaded{program.(interface {
							peer.Program
							base() *graphProgram
						}), func(d time.Duration) { b.ReportMetric(d.Seconds(), "s/run") }}
					}, func(rank int, c *peer.Config) {
						c.Cores, c.Memory, c.Output = 1, 4<<30, nowhere{}
						for i := rank; i < len(splits); i += size {
							c.Splits = append(c.Splits, splits[i])
						}
					})
				}
			})
		}
	}
}

// The same by one thread that has the graph to itself: what a good programmer
// would write for one machine.

func BenchmarkSingleThread(b *testing.B) {
	offsets, targets := csrOf(*scale, kronecker(*scale))
	b.Run("cdlp", func(b *testing.B) {
		for b.Loop() {
			singleLabels(offsets, targets, 10)
		}
	})
	b.Run("lcc", func(b *testing.B) {
		for b.Loop() {
			singleClustering(offsets, targets)
		}
	})
}

func csrOf(scale int, edges [][2]uint32) (offsets []uint64, targets []uint32) {
	n := 1 << scale
	offsets = make([]uint64, n+1)
	for _, e := range edges {
		offsets[e[0]+1]++
		offsets[e[1]+1]++
	}
	for v := range n {
		offsets[v+1] += offsets[v]
	}
	targets = make([]uint32, offsets[n])
	at := slices.Clone(offsets)
	for _, e := range edges {
		targets[at[e[0]]] = e[1]
		at[e[0]]++
		targets[at[e[1]]] = e[0]
		at[e[1]]++
	}
	for v := range n {
		slices.Sort(targets[offsets[v]:offsets[v+1]])
	}
	return offsets, targets
}

// singleLabels counts in an array as long as the graph, and looks only at
// vertices of which a neighbour has changed.
func singleLabels(offsets []uint64, targets []uint32, iterations int) []uint32 {
	n := len(offsets) - 1
	labels, next := make([]uint32, n), make([]uint32, n)
	counts := make([]uint32, n)
	for v := range labels {
		labels[v] = uint32(v)
	}
	for range iterations {
		copy(next, labels)
		for v := range n {
			row := targets[offsets[v]:offsets[v+1]]
			best, most := labels[v], uint32(0)
			for _, t := range row {
				l := labels[t]
				counts[l]++
				if c := counts[l]; c > most || c == most && l < best {
					best, most = l, c
				}
			}
			for _, t := range row {
				counts[labels[t]] = 0
			}
			next[v] = best
		}
		labels, next = next, labels
	}
	return labels
}

// singleClustering is the algorithm forward on vertices in the order of degrees.
func singleClustering(offsets []uint64, targets []uint32) []float64 {
	n := len(offsets) - 1
	order := make([]uint32, n)
	for v := range order {
		order[v] = uint32(v)
	}
	degree := func(v uint32) uint64 { return offsets[v+1] - offsets[v] }
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Or(cmp.Compare(degree(b), degree(a)), cmp.Compare(a, b)) })
	place := make([]uint32, n)
	for i, v := range order {
		place[v] = uint32(i)
	}
	up := make([]uint32, 0, len(targets)/2)
	starts := make([]int, n+1)
	for i, v := range order {
		for _, t := range targets[offsets[v]:offsets[v+1]] {
			if place[t] < uint32(i) {
				up = append(up, place[t])
			}
		}
		slices.Sort(up[starts[i]:])
		starts[i+1] = len(up)
	}
	count := make([]uint64, n)
	marked := make([]bool, n)
	for a := range n {
		list := up[starts[a]:starts[a+1]]
		for _, b := range list {
			marked[b] = true
		}
		for _, b := range list {
			for _, c := range up[starts[b]:starts[b+1]] {
				if marked[c] {
					count[a]++
					count[b]++
					count[c]++
				}
			}
		}
		for _, b := range list {
			marked[b] = false
		}
	}
	values := make([]float64, n)
	for i, v := range order {
		if d := float64(degree(v)); d >= 2 {
			values[v] = 2 * float64(count[i]) / (d * (d - 1))
		}
	}
	return values
}
