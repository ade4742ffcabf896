package algorithm

import (
	"context"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/graph"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// traversals are the algorithms that follow edges from vertex to vertex.
func traversals() []Algorithm {
	return []Algorithm{
		define("bfs", "how many edges each vertex is away from a source; 9223372036854775807 where none lead",
			sourceOptions{}, func(c graph.Config, o sourceOptions) peer.Program { return newBreadthFirst(c, o.Source) }),
		define("sssp", "how long the shortest way from a source to each vertex is; infinity where there is none",
			sourceOptions{}, func(c graph.Config, o sourceOptions) peer.Program { return newShortestPaths(c, o.Source) }),
		define("wcc", "which vertices hang together, whatever way edges lead: by the least id among them",
			struct{}{}, func(c graph.Config, _ struct{}) peer.Program { return newComponents(c) }),
	}
}

type sourceOptions struct {
	Source string `json:"source" about:"the vertex to begin at"`
}

func (o *sourceOptions) check(f *faults) {
	if o.Source == "" {
		f.add("source", "name the vertex to begin at", "no source is given")
	}
}

// findSource is the local number of the source on the rank that owns it, else
// -1. It takes a Sync.
func findSource(ctx context.Context, p *peer.Peer, part *graph.Partition, id string) (int, error) {
	at, err := findAll(ctx, p, part, []string{id})
	if err != nil || len(at) == 0 {
		return -1, err
	}
	return at[0], nil
}

// writeDepths writes a line (vertex, depth) for each own vertex.
func writeDepths(p *peer.Peer, part *graph.Partition, depth []uint32) error {
	columns(p, part, arrow.PrimitiveTypes.Int64)
	var key, value []byte
	for v, d := range depth {
		key = part.IDs.Append(key[:0], v)
		if d == unreached {
			value = append(value[:0], "9223372036854775807"...)
		} else {
			value = strconv.AppendUint(value[:0], uint64(d), 10)
		}
		if err := p.WriteKV(key, value); err != nil {
			return err
		}
	}
	return nil
}

// damaged is the error of a checkpoint that does not fit its program.
func damaged(section string) error {
	return core.Errorf(core.Failed, "section %q does not fit the program", section).At("checkpoint").
		Do("run the job again from its beginning")
}
