package graph

import (
	"bufio"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/capstan-run/capstan/frameworks/bsp/graph/graphtest"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/peer/peertest"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

var scale = flag.Int("scale", 12, "of the R-MAT graph that benchmarks load; edge factor 16")

// BenchmarkLoad loads an undirected graph from text, on ranks of one core each.
func BenchmarkLoad(b *testing.B) {
	path := filepath.Join(b.TempDir(), "edges.txt")
	edges := writeText(b, path)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	f := input.File{URL: input.FileURL(path), Size: info.Size()}
	for _, size := range []int{1, 2} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			for b.Loop() {
				loadOnce(b, size, f)
			}
			b.ReportMetric(float64(edges)*float64(b.N)/b.Elapsed().Seconds()/1e6, "M-edges/s")
		})
	}
}

func writeText(b *testing.B, path string) int {
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	edges := graphtest.RMAT(*scale, 16, 1)
	var line []byte
	for _, e := range edges {
		line = append(strconv.AppendUint(line[:0], uint64(e.Source), 10), ' ')
		line = append(strconv.AppendUint(line, uint64(e.Target), 10), '\n')
		if _, err := w.Write(line); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	return len(edges)
}

func loadOnce(b *testing.B, size int, f input.File) {
	peertest.Run(b, size, func() peer.Program {
		return peer.Func(func(ctx context.Context, p *peer.Peer) error {
			part, err := Load(ctx, p, Config{IDs: Integers}, Need{Out: true, Cut: true})
			if err != nil {
				return err
			}
			return part.Close()
		})
	}, func(rank int, c *peer.Config) {
		c.Cores, c.Memory = 1, 4<<30
		const splits = 16
		for i := int64(rank); i < splits; i += int64(size) {
			from, to := f.Size*i/splits, f.Size*(i+1)/splits
			c.Splits = append(c.Splits, input.Split{Ranges: []input.Range{{File: f, Offset: from, Length: to - from}}, Bytes: to - from})
		}
	})
}
