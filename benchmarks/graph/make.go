package graph

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

	"github.com/capstan-run/capstan/frameworks/bsp/graph/graphtest"
)

const (
	edgeFactor = 16
	seed       = 1
)

// Graph is a graph in the cache.
type Graph struct {
	Scale    int    `json:"scale"`
	Vertices int    `json:"vertices"` // that have edges: ids 0 to Vertices-1
	Edges    int64  `json:"edges"`    // undirected
	Source   uint32 `json:"source"`   // of searches: the vertex with most edges, the least of them
	Text     string `json:"-"`        // paths
	Parquet  string `json:"-"`
}

// Make finds the graph of that scale in the cache directory or writes it there.
func Make(ctx context.Context, cache string, scale int) (*Graph, error) {
	base := filepath.Join(cache, fmt.Sprintf("rmat-%d", scale))
	g := &Graph{Scale: scale, Text: base + ".txt", Parquet: base + ".parquet"}
	if doc, err := os.ReadFile(base + ".json"); err == nil {
		return g, json.Unmarshal(doc, g)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	edges := g.draw()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := errors.Join(writeText(g.Text, edges), writeParquet(g.Parquet, edges)); err != nil {
		return nil, err
	}
	doc, err := json.Marshal(g)
	if err != nil {
		return nil, err
	}
	// The description is written last: where it is, the graph is whole.
	return g, os.WriteFile(base+".json", doc, 0o644)
}

// draw makes the edges, the lesser id first, ascending, and fills in g.
func (g *Graph) draw() []uint64 {
	edges := make([]uint64, 0, edgeFactor<<g.Scale)
	names := make([]uint32, 1<<g.Scale)
	for _, e := range graphtest.RMAT(g.Scale, edgeFactor, seed) {
		if e.Source != e.Target {
			edges = append(edges, uint64(min(e.Source, e.Target))<<32|uint64(max(e.Source, e.Target)))
			names[e.Source], names[e.Target] = 1, 1
		}
	}
	for i, used := range names {
		names[i] = uint32(g.Vertices)
		g.Vertices += int(used)
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	degrees := make([]uint32, g.Vertices)
	for i, e := range edges {
		s, t := names[e>>32], names[uint32(e)]
		edges[i] = uint64(s)<<32 | uint64(t)
		degrees[s]++
		degrees[t]++
	}
	g.Edges = int64(len(edges))
	for v, d := range degrees {
		if d > degrees[g.Source] {
			g.Source = uint32(v)
		}
	}
	return edges
}

// Weight is that of an edge, in either direction. Every contender knows it.
func Weight(a, b uint32) float64 { return 1 + float64((uint64(min(a, b))*31+uint64(max(a, b)))%255) }

func writeText(path string, edges []uint64) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	var line []byte
	for _, e := range edges {
		line = append(strconv.AppendUint(line[:0], e>>32, 10), ' ')
		line = append(strconv.AppendUint(line, e&(1<<32-1), 10), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return w.Flush()
}

// rowGroup is how many edges a group of the Parquet file has.
const rowGroup = 1 << 20

func writeParquet(path string, edges []uint64) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "source", Type: arrow.PrimitiveTypes.Int64},
		{Name: "target", Type: arrow.PrimitiveTypes.Int64}, {Name: "weight", Type: arrow.PrimitiveTypes.Float64}}, nil)
	w, err := pqarrow.NewFileWriter(schema, f, parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Snappy)), pqarrow.DefaultWriterProps())
	if err != nil {
		return errors.Join(err, f.Close())
	}
	defer func() { err = errors.Join(err, w.Close()) }() // closes f
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for group := range slices.Chunk(edges, rowGroup) {
		for _, e := range group {
			s, t := uint32(e>>32), uint32(e)
			b.Field(0).(*array.Int64Builder).Append(int64(s))
			b.Field(1).(*array.Int64Builder).Append(int64(t))
			b.Field(2).(*array.Float64Builder).Append(Weight(s, t))
		}
		rec := b.NewRecord()
		err := w.Write(rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
	return nil
}
