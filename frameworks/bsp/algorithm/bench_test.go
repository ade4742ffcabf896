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

	"github.com/capstan-run/capstan/frameworks/bsp/algorithm/reference"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/graph/graphtest"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

var coresEach = flag.Int("cores", 1, "of each rank of a benchmark")

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

// BenchmarkAlgorithms runs algorithms on ranks of -cores each. It reports
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
						c.Cores, c.Memory, c.Output = *coresEach, 4<<30, nowhere{}
						for i := rank; i < len(splits); i += size {
							c.Splits = append(c.Splits, splits[i])
						}
					})
				}
			})
		}
	}
}

// BenchmarkSingleThread is the reference on the same graph.
func BenchmarkSingleThread(b *testing.B) {
	g := kroneckerGraph(*scale, kronecker(*scale))
	b.Run("cdlp", func(b *testing.B) {
		for b.Loop() {
			reference.Labels(g, 10)
		}
	})
	b.Run("lcc", func(b *testing.B) {
		for b.Loop() {
			reference.Clustering(g)
		}
	})
}

// kroneckerGraph is the edges of kronecker as references see them.
func kroneckerGraph(scale int, edges [][2]uint32) *reference.Graph {
	var from, to []uint32
	for _, e := range edges {
		from, to = append(from, e[0]), append(to, e[1])
	}
	return reference.Build(1<<scale, from, to, nil, false)
}
