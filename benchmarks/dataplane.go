package benchmarks

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-run/capstan/benchmarks/mesh"
	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/core"
)

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
