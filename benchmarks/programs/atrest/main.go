// Command atrest is the built-in PageRank, and says what memory its process holds
// between two supersteps beyond what it held before the graph was read: at each
// checkpoint, which finds every rank at a barrier with all it has, and of which the
// last counts. It takes Linux.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/capstan-run/capstan/benchmarks/graph"
	"github.com/capstan-run/capstan/frameworks/bsp"
	"github.com/capstan-run/capstan/frameworks/bsp/algorithm"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// weighed is a program on the scales.
type weighed struct {
	peer.Keeper
	p      *peer.Peer
	before int64
	told   int64
}

// Run notes what the process holds before there is a graph.
func (w *weighed) Run(ctx context.Context, p *peer.Peer) (err error) {
	if w.before, err = held(); err != nil {
		return err
	}
	w.p, w.told = p, 0
	return w.Keeper.Run(ctx, p)
}

// Save corrects what the counter says.
func (w *weighed) Save(out *peer.SnapshotWriter) error {
	now, err := held()
	if err != nil {
		return err
	}
	w.p.Count(graph.RestCounter, now-w.before-w.told)
	w.told = now - w.before
	return w.Keeper.Save(out)
}

// held is the process's share of the machine's memory once garbage is returned: a
// page that n processes have in common counts by an n-th.
func held() (int64, error) {
	debug.FreeOSMemory()
	const file = "/proc/self/smaps_rollup"
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "Pss:" {
			kB, err := strconv.ParseInt(string(f[1]), 10, 64)
			return kB << 10, err
		}
	}
	return 0, fmt.Errorf("%s does not say Pss", file)
}

func main() {
	bsp.Main(bsp.Job{Name: "atrest", Program: func(o bsp.Options) (bsp.Program, error) {
		p, err := algorithm.New("pagerank", algorithm.Setup{Graph: o.Graph(), With: o.Body.Algorithm.With})
		if err != nil {
			return nil, err
		}
		return &weighed{Keeper: p.(peer.Keeper)}, nil
	}})
}
