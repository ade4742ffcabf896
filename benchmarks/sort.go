package benchmarks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/capstan-run/capstan/benchmarks/meter"
	"github.com/capstan-run/capstan/benchmarks/peers"
	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/benchmarks/terasort"
	"github.com/capstan-run/capstan/core"
)

// records is the input of a sort.
type records struct {
	dir  string
	size int64
	want terasort.Summary
}

// teraSort is the workload of that name.
func (b *bench) teraSort(ctx context.Context) error {
	for _, size := range b.Sizes {
		// The input, what is shuffled and the output: contenders run one at a
		// time, and each clears away what it made.
		if err := b.room(size, 3); err != nil {
			return err
		}
		in := records{dir: b.fresh("records"), size: size}
		b.say("records of %s: make", result.Size(size))
		var err error
		if in.want, err = terasort.Generate(ctx, in.dir, size/terasort.RecordLength, runtime.NumCPU()); err != nil {
			return err
		}
		if err := os.Chmod(in.dir, 0o755); err != nil {
			return err
		}
		if err := b.alternate(ctx, b.sorters(in)); err != nil {
			return err
		}
		if err := os.RemoveAll(in.dir); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) sorters(in records) []contender {
	var list []contender
	for _, launcher := range b.Launchers {
		p := place{state: b.fresh("state"), launcher: launcher}
		for _, n := range b.Executors {
			key := result.Key{Workload: result.TeraSort, Series: result.Sort, Launcher: launcher, Executors: n, Bytes: in.size}
			list = append(list, contender{key, func(ctx context.Context, s *result.Sample) error {
				output := b.fresh("out")
				doc, err := sortDocument(in.dir, output, n)
				if err != nil {
					return err
				}
				_, err = b.runJob(ctx, p, b.jobID(), doc, s)
				return in.sorted(ctx, output, err)
			}})
		}
	}
	if b.spark != nil {
		key := result.Key{Workload: result.TeraSort, Series: result.SparkSort, Bytes: in.size}
		list = append(list, contender{key, func(ctx context.Context, s *result.Sample) error { return b.sparkSort(ctx, in, s) }})
	}
	return list
}

func sortDocument(input, output string, executors int) ([]byte, error) {
	return json.Marshal(map[string]any{"apiVersion": "capstan/v1", "kind": "MapReduce",
		"metadata": map[string]any{"name": "bench-sort"},
		"gang":     map[string]any{"size": executors, "cpu": share(executors), "memory": "1Gi"},
		"spec": map[string]any{
			"input": map[string]any{"path": "file://" + input, "format": "fixed",
				"recordLength": terasort.RecordLength, "keyLength": terasort.KeyLength},
			"map":     step{Use: "identity"},
			"shuffle": map[string]any{"by": "range"},
			"reduce":  step{Use: "identity"},
			"output":  map[string]any{"path": "file://" + output, "format": "fixed"},
		}})
}

// sorted checks the output of a sort that ended with err, and removes it.
func (in records) sorted(ctx context.Context, output string, err error) error {
	if err != nil {
		return err
	}
	got, err := terasort.Validate(ctx, output)
	if err != nil {
		return core.Errorf(core.Failed, "the output is not sorted: %v", err).At(output)
	}
	if err := in.same(got, output); err != nil {
		return err
	}
	return os.RemoveAll(output)
}

// same reports whether an output holds the records of in.
func (in records) same(got terasort.Summary, output string) error {
	if got != in.want {
		return core.Errorf(core.Failed, "the output has %d records with sum %d, the input %d with %d",
			got.Records, got.Sum, in.want.Records, in.want.Sum).At(output)
	}
	return nil
}

// sparkSort runs Spark's sort once. Its wall time is the sort's alone: the start
// of Spark and of its shell would not be held against it.
func (b *bench) sparkSort(ctx context.Context, in records, s *result.Sample) error {
	output := b.fresh("out")
	printed, cost, err := b.runSpark(ctx, func(scratch string) (args, env []string, err error) {
		return b.spark.TeraSort(ctx, runtime.NumCPU(), in.dir, output, scratch)
	})
	if err != nil {
		return err
	}
	if s.Wall, err = peers.SortSeconds(printed); err != nil {
		return err
	}
	s.CPU, s.Input = cost.CPU.Seconds(), in.size
	return in.sorted(ctx, output, nil)
}

// runSpark runs a command of Spark's with a directory for what it spills and
// shuffles, which is removed.
func (b *bench) runSpark(ctx context.Context, command func(scratch string) (args, env []string, err error)) ([]byte, meter.Cost, error) {
	scratch := b.fresh("spark")
	if err := os.Mkdir(scratch, 0o755); err != nil {
		return nil, meter.Cost{}, err
	}
	args, env, err := command(scratch)
	if err != nil {
		return nil, meter.Cost{}, err
	}
	printed, cost, err := b.meter.Run(ctx, meter.Command{Args: args, Env: env, Dir: b.work})
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, printed)
	}
	return printed, cost, errors.Join(err, os.RemoveAll(scratch))
}
