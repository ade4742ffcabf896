package benchmarks

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-run/capstan/benchmarks/exchange"
	"github.com/capstan-run/capstan/benchmarks/mesh"
	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/core"
)

// exchangeRows is 64 MB of rows of 100 bytes.
const exchangeRows = 640_000

// exchange is the workload of that name. It runs in this process, which does
// nothing else meanwhile.
func (b *bench) exchange(ctx context.Context) error {
	var list []contender
	for _, c := range []struct {
		series     string
		tier       exchange.Tier
		partitions int
	}{
		{result.FileExchange, exchange.File, 200},
		{result.ArenaExchange, exchange.Arena, 200},
		{result.WideExchange, exchange.Arena, 2000},
	} {
		key := result.Key{Workload: result.Exchange, Series: c.series, Bytes: exchangeRows * 100}
		list = append(list, contender{key, func(ctx context.Context, s *result.Sample) error {
			dir, err := b.scratch(c.tier)
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			r, err := exchange.Measure(ctx, exchange.Config{Dir: dir, Rows: exchangeRows, Partitions: c.partitions, Tier: c.tier})
			if err != nil {
				return err
			}
			s.Input, s.Wall = exchangeRows*100, r.Wall.Seconds()
			s.CPU = float64(s.Input) / 1e6 / r.Rate
			if c.series == result.ArenaExchange {
				b.yardstick(*s, result.Memcpy, r.Yardsticks.Memcpy)
				b.yardstick(*s, result.BareWrite, r.Yardsticks.Write)
			}
			return nil
		}})
	}
	return b.alternate(ctx, list)
}

// yardstick is the sample of a bare operation at so many MB per CPU-second.
func (b *bench) yardstick(of result.Sample, series string, rate float64) {
	of.Series, of.CPU = series, float64(of.Input)/1e6/rate
	of.Wall = of.CPU // one thread
	b.result.Samples = append(b.result.Samples, of)
}

// scratch is a directory for a tier: an arena's in shared memory, where there
// is some.
func (b *bench) scratch(tier exchange.Tier) (string, error) {
	if tier == exchange.Arena {
		if dir, err := os.MkdirTemp("/dev/shm", "capstan-bench-"); err == nil {
			return dir, nil
		}
	}
	dir := b.fresh("exchange")
	return dir, os.Mkdir(dir, 0o755)
}

// meshRank is the command that is a rank of the mesh workload.
const meshRank = "mesh-rank"

// mesh is the workload of that name.
func (b *bench) mesh(ctx context.Context) error {
	c := mesh.Config{Rank: []string{b.Capstan, "bench", meshRank}, Cache: filepath.Join(b.Cache, "mesh"), Repeat: b.Repeat, Log: b.Log}
	return mesh.Measure(ctx, c, func(f mesh.Figure) {
		key := result.Key{Workload: result.Mesh, Series: f.Series, Bytes: f.Bytes}
		b.result.Samples = append(b.result.Samples, result.Sample{Key: key, Repetition: f.Repetition, Wall: f.Seconds})
		b.say("%d/%d  %-56s %s", f.Repetition, b.Repeat, title(key), time.Duration(f.Seconds*1e9))
	})
}

// storeObject is the size of the store workload's objects, four at once.
const storeObject = 64 << 20

// store is the workload of that name: the benchmark of benchmarks/store, which
// needs the source tree, and its figures.
func (b *bench) store(ctx context.Context) error {
	for rep := range b.Repeat {
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "BenchmarkStore/64MiB/4-at-once", "-benchtime", "5x", "./benchmarks/store")
		cmd.Dir = b.Module
		out, err := cmd.CombinedOutput()
		if err != nil {
			return &core.Error{Kind: core.Invalid, What: "run the store's benchmark", Where: b.Module, Err: err, Detail: string(out),
				Remedy: "run from Capstan's source tree, or name it with --module"}
		}
		rates := storeRates(out)
		for _, series := range slices.Sorted(maps.Keys(rates)) {
			rate := rates[series]
			key := result.Key{Workload: result.Store, Series: series, Bytes: storeObject}
			s := result.Sample{Key: key, Repetition: rep + 1, Wall: storeObject / 1e6 / rate}
			b.result.Samples = append(b.result.Samples, s)
			b.say("%d/%d  %-44s %7.0f MB/s", rep+1, b.Repeat, title(key), rate)
		}
	}
	return nil
}

// storeRates reads MB/s by series from what "go test -bench" printed: minio-go's
// own, and every other lane's, which are multiples of it.
func storeRates(out []byte) map[string]float64 {
	metrics := map[string]float64{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || !strings.HasPrefix(words[0], "BenchmarkStore") {
			continue
		}
		for i := 2; i+1 < len(words); i += 2 {
			if v, err := strconv.ParseFloat(words[i], 64); err == nil {
				metrics[words[i+1]] = v
			}
		}
	}
	rates := map[string]float64{}
	for _, what := range []string{"put", "get"} {
		own := metrics["minio-"+what+"-MB/s"]
		if own == 0 {
			continue
		}
		rates[what+", "+result.StorePeer] = own
		for unit, v := range metrics {
			if lane, ok := strings.CutSuffix(unit, "-"+what+"-x"); ok {
				rates[fmt.Sprintf("%s, %s", what, lane)] = own * v
			}
		}
	}
	return rates
}
