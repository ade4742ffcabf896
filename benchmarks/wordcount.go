package benchmarks

import (
	"context"
	"fmt"
	"iter"
	"os"
	"runtime"
	"slices"

	"github.com/capstan-run/capstan/benchmarks/corpus"
	"github.com/capstan-run/capstan/benchmarks/meter"
	"github.com/capstan-run/capstan/benchmarks/result"
)

// variant is a way to write the word count for Capstan.
type variant struct {
	name   string // of --variants
	series string
	job    job      // unless typed
	script []string // whose CPU is taken off
}

const typed = "typed"

var (
	splitting = []string{"tr", "-s", ` \t`, `\n`}
	counting  = []string{"awk", `{for(i=1;i<=NF;i++)c[$i]++} END{for(w in c)print w "\t" c[w]}`}
)

func variants() []variant {
	return []variant{
		{name: "builtin", series: result.BuiltIn, job: job{Map: &step{Use: "words"}, Combine: &step{Use: "sum"}, Reduce: &step{Use: "sum"}}},
		{name: typed, series: result.Typed},
		{name: "lines", series: result.Lines, script: splitting,
			job: job{Image: "host", Map: &step{Exec: splitting}, Reduce: &step{Use: "count"}}},
		{name: "awk", series: result.Combining, script: counting,
			job: job{Image: "host", Map: &step{Exec: counting}, Reduce: &step{Use: "sum"}}},
	}
}

func variantNames() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, v := range variants() {
			if !yield(v.name) {
				return
			}
		}
	}
}

// wordCount is the workload of that name.
func (b *bench) wordCount(ctx context.Context) error {
	var programs [2]string
	for i, name := range []string{"wordcount", "single"} {
		var err error
		if programs[i], err = b.build(ctx, name); err != nil {
			return err
		}
	}
	for _, size := range b.Sizes {
		b.say("text of %s: find or make", result.Size(size))
		text, err := b.source.Text(size, 1)
		if err != nil {
			return err
		}
		list := b.ours(text, size, programs[0])
		list = append(list, b.peers(text, size, programs[1])...)
		if err := b.alternate(ctx, list); err != nil {
			return err
		}
	}
	return nil
}

// ours are the contenders of Capstan.
func (b *bench) ours(text corpus.Text, size int64, program string) []contender {
	var list []contender
	for _, launcher := range b.Launchers {
		p := place{state: b.fresh("state"), launcher: launcher}
		for _, v := range variants() {
			if !slices.Contains(b.Variants, v.name) {
				continue
			}
			for _, n := range b.Executors {
				key := result.Key{Workload: result.WordCount, Series: v.series, Launcher: launcher, Executors: n, Bytes: size}
				list = append(list, contender{key, func(ctx context.Context, s *result.Sample) error {
					return b.count(ctx, p, v, program, text, s)
				}})
			}
		}
	}
	return list
}

// count runs a variant once.
func (b *bench) count(ctx context.Context, p place, v variant, program string, text corpus.Text, s *result.Sample) error {
	output := b.fresh("out")
	doc, err := v.job.document(text.File, output, s.Executors)
	if v.name == typed {
		doc, err = answer(ctx, program, "-spec", "-preview", "0", "-size", fmt.Sprint(s.Executors),
			"-cpu", share(s.Executors), "-memory", "512Mi", "-output", "file://"+output, "file://"+text.File)
	}
	if err != nil {
		return err
	}
	if v.script != nil {
		if s.Script, err = script(ctx, v.script, text.File); err != nil {
			return err
		}
	}
	_, err = b.run(ctx, p, doc, output, text.Answer, s)
	return err
}

// peers are the contenders Capstan is held against.
func (b *bench) peers(text corpus.Text, size int64, single string) []contender {
	peer := func(series string, env []string, args func(output string) []string) contender {
		key := result.Key{Workload: result.WordCount, Series: series, Bytes: size}
		return contender{key, func(ctx context.Context, s *result.Sample) error {
			output := b.fresh("out")
			_, cost, err := b.meter.Run(ctx, meter.Command{Args: args(output), Env: env, Dir: b.work})
			if err != nil {
				return err
			}
			s.Wall, s.CPU, s.Input = cost.Wall.Seconds(), cost.CPU.Seconds(), text.Bytes
			if err := check(output, text.Answer, nil); err != nil {
				return err
			}
			return os.RemoveAll(output)
		}}
	}
	var list []contender
	if slices.Contains(b.Peers, "single") {
		list = append(list, peer(result.Single, nil, func(output string) []string { return []string{single, text.File, output} }))
	}
	if b.spark != nil {
		for _, how := range []struct{ series, name string }{{result.SparkRDD, "rdd"}, {result.SparkSQL, "dataframe"}} {
			list = append(list, peer(how.series, b.spark.Env(), func(output string) []string {
				return b.spark.Command(how.name, runtime.NumCPU(), text.File, output)
			}))
		}
	}
	return list
}
