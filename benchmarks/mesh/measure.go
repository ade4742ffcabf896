package mesh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/capstan-run/capstan/benchmarks/result"
)

// Config is what to measure, and with what.
type Config struct {
	// Rank is the command that runs [Rank] with its last argument.
	Rank   []string
	Cache  string // directory for the compiled MPI program
	Repeat int
	Log    io.Writer // says what is left out
}

// Figure is what one repetition found of one series.
type Figure struct {
	Series     string // of workload mesh in package result: a round trip over shared memory, a message over TCP
	Bytes      int64  // of a message
	Repetition int    // from 1 on
	Seconds    float64
}

// Sizes of messages, in bytes.
const (
	Small = 8
	Large = 64 << 20
)

// Measure runs c and gives every figure to add. A peer that is not installed
// is left out and c.Log told.
func Measure(ctx context.Context, c Config, add func(Figure)) error {
	peers := findPeers(ctx, c)
	for rep := range c.Repeat {
		give := func(series string, bytes int64, ns []float64) {
			add(Figure{series, bytes, rep + 1, result.Of(ns).Median / 1e9})
		}
		if err := measureShared(ctx, c, peers, give); err != nil {
			return fmt.Errorf("shared memory: %w", err)
		}
		if err := measureTCP(ctx, c, peers, rep, give); err != nil {
			return fmt.Errorf("TCP: %w", err)
		}
	}
	return nil
}

// measureShared has ranks of the mesh and of MPICH play in turns.
func measureShared(ctx context.Context, c Config, peers peers, give func(string, int64, []float64)) (err error) {
	dir, err := os.MkdirTemp("", "mesh-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ours, err := meshPlayer(ctx, c, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.close()) }()
	small := []turn{{result.MeshShared, ours, smallBatch}}
	large := []turn{{result.MeshShared, ours, largeBatch}, {result.MeshHanded, ours, handedBatch}}
	if peers.pingPong != "" {
		theirs, err := mpichPlayer(ctx, peers.pingPong, dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, theirs.close()) }()
		small, large = append(small, turn{result.MPICH, theirs, smallBatch}), append(large, turn{result.MPICH, theirs, largeBatch})
	}
	for _, part := range []struct {
		bytes int64
		n     int
		turns []turn
	}{{Small, 40, small}, {Large, 10, large}} {
		times, err := rounds(ctx, part.n, part.turns)
		if err != nil {
			return err
		}
		for _, t := range part.turns {
			give(t.series, part.bytes, times[t.series])
		}
	}
	return nil
}

// measureTCP runs the contenders one after the other.
func measureTCP(ctx context.Context, c Config, peers peers, rep int, give func(string, int64, []float64)) error {
	type contender struct {
		series string
		run    func() (float64, error)
	}
	list := []contender{
		{result.MeshTCP, func() (float64, error) { return streamOf(ctx, c, false) }},
		{result.MeshMTLS, func() (float64, error) { return streamOf(ctx, c, true) }},
	}
	if peers.iperf {
		list = append(list,
			contender{result.IPerf, func() (float64, error) { return iperf(ctx, 1) }},
			contender{result.IPerfWide, func() (float64, error) { return iperf(ctx, streams) }})
	}
	for i := range list {
		l := list[(i+rep)%len(list)]
		ns, err := l.run()
		if err != nil {
			return fmt.Errorf("%s: %w", l.series, err)
		}
		give(l.series, Large, []float64{ns})
	}
	return nil
}
