package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/capstan-run/capstan/benchmarks/corpus"
	"github.com/capstan-run/capstan/benchmarks/graph"
	"github.com/capstan-run/capstan/benchmarks/machine"
	"github.com/capstan-run/capstan/benchmarks/meter"
	"github.com/capstan-run/capstan/benchmarks/peers"
	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/core"
)

// Config is what to run. Its lists must not be empty where a workload uses
// them.
type Config struct {
	Capstan   string // the binary under test
	Version   string // of it
	Module    string // directory of the source tree, to build the Go programs from
	Cache     string // directory for texts, programs and Spark
	Workloads []string
	Sizes     []int64  // of wordcount, in bytes
	Variants  []string // of wordcount, of Capstan: series of package result
	Launchers []string // "docker", "process"
	Executors []int    // gang sizes of wordcount
	Repeat    int
	Peers     []string // "single", "spark"; of graph also "cpp", "networkx"
	Files     int      // of the files workload
	FilesSize int64    // all of them together
	JobSize   int64    // of latency
	GangSize  int      // of gang
	Gangs     []int    // gang sizes of skew and kill
	Graph     GraphConfig
	// Settle is the pause that a warm host is given after each job to make
	// new executors ready: it does not tell when they are.
	Settle time.Duration
	Log    io.Writer // a line for each run
}

// Validate finds what cannot be run.
func (c Config) Validate() error {
	check := func(flag string, got, known []string) error {
		for _, v := range got {
			if !slices.Contains(known, v) {
				return core.Errorf(core.Invalid, "%q is not known", v).At(flag).Do("one of " + strings.Join(known, ", "))
			}
		}
		return nil
	}
	for _, err := range []error{
		check("WORKLOAD", c.Workloads, result.Workloads()),
		check("--launchers", c.Launchers, []string{"docker", "process"}),
		check("--peers", c.Peers, []string{"single", "spark", "cpp", "networkx"}),
		check("--algorithms", c.Graph.Algorithms, graph.Algorithms()),
		check("--graph-parts", c.Graph.Parts, graphParts()),
		check("--variants", c.Variants, slices.Collect(variantNames())),
	} {
		if err != nil {
			return err
		}
	}
	switch {
	case slices.ContainsFunc(c.Graph.Scales, func(n int) bool { return n < 4 || n > 26 }):
		return core.Errorf(core.Invalid, "graphs have scales from 4 to 26").At("--scales")
	case c.Repeat < 1:
		return core.Errorf(core.Invalid, "%d repetitions", c.Repeat).At("--repeat").Do("at least 1")
	case slices.ContainsFunc(c.Executors, func(n int) bool { return n < 1 }):
		return core.Errorf(core.Invalid, "a gang has at least one executor").At("--executors")
	case slices.ContainsFunc(c.Gangs, func(n int) bool { return n < 1 }):
		return core.Errorf(core.Invalid, "a gang has at least one executor").At("--gangs")
	case slices.Contains(c.Workloads, result.Kill) && slices.Contains(c.Gangs, 1):
		return core.Errorf(core.Invalid, "of a gang of one, none goes on").At("--gangs").Do("name gangs of 2 or more for the kill workload")
	case slices.Contains(c.Workloads, result.Gang) && c.GangSize < 1:
		return core.Errorf(core.Invalid, "a gang has at least one executor").At("--gang-size")
	case slices.Contains(c.Workloads, result.Files) && c.Files < 1:
		return core.Errorf(core.Invalid, "%d files", c.Files).At("--files").Do("at least 1")
	}
	return nil
}

// bench is a benchmark under way.
type bench struct {
	Config
	meter  *meter.Meter
	source corpus.Source
	spark  *peers.Spark
	work   string // emptied at the end
	runs   int    // numbers names in work
	result *result.Result
}

// Run runs the workloads of c. What was measured before an error is returned
// with it.
func Run(ctx context.Context, c Config) (*result.Result, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	b := &bench{Config: c, meter: meter.New()}
	defer func() {
		b.meter.Close() // what still runs would write on
		os.RemoveAll(b.work)
	}()
	b.result = &result.Result{Taken: time.Now().UTC().Truncate(time.Second), Version: c.Version, WholeCPU: b.meter.Whole()}
	err := b.prepare(ctx)
	workloads := map[string]func(context.Context) error{
		result.WordCount: b.wordCount, result.Latency: b.latency, result.Files: b.files, result.Gang: b.gang,
		result.Exchange: b.exchange, result.Store: b.store, result.Mesh: b.mesh,
		result.TeraSort: b.teraSort, result.Skew: b.skew, result.Kill: b.kill, result.Graph: b.graph,
	}
	for _, w := range c.Workloads {
		if err == nil {
			err = workloads[w](ctx)
		}
	}
	return b.result, err
}

func (b *bench) prepare(ctx context.Context) error {
	b.result.Machine = machine.Describe(ctx)
	if !b.result.WholeCPU {
		b.note("No control group could be made: CPU of processes that outlive their parents is not counted.")
	}
	if err := os.MkdirAll(b.Cache, 0o755); err != nil {
		return core.Errorf(core.Denied, "%v", err).At(b.Cache).Do("name another with --cache")
	}
	var err error
	if b.work, err = os.MkdirTemp(b.Cache, "run-"); err != nil {
		return err
	}
	if err := os.Chmod(b.work, 0o755); err != nil {
		return err
	}
	if err := b.findSpark(ctx); err != nil {
		return err
	}
	if !slices.ContainsFunc(b.Workloads, overText) {
		return nil
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return core.Errorf(core.Invalid, "the text is made of the Go toolchain's source, and `go env GOROOT` says: %v", err).Do("install Go")
	}
	b.source = corpus.Source{Root: filepath.Join(strings.TrimSpace(string(root)), "src"), Name: runtime.Version(), Cache: b.Cache}
	return nil
}

// findSpark finds or installs Spark, where a workload is held against it.
func (b *bench) findSpark(ctx context.Context) error {
	against := func(w string) bool {
		return slices.Contains([]string{result.WordCount, result.TeraSort, result.Exchange, result.Graph}, w)
	}
	if !slices.Contains(b.Peers, "spark") || !slices.ContainsFunc(b.Workloads, against) {
		return nil
	}
	b.say("spark: find or install")
	var err error
	if b.spark, err = peers.InstallSpark(ctx, b.Cache); err != nil {
		return err
	}
	b.result.Machine.Spark = b.spark.Version
	return nil
}

// overText reports whether a workload reads text.
func overText(workload string) bool {
	return slices.Contains([]string{result.WordCount, result.Latency, result.Files, result.Gang}, workload)
}

// build compiles one of the programs and returns its path.
func (b *bench) build(ctx context.Context, name string) (string, error) {
	path := filepath.Join(b.work, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./benchmarks/programs/"+name)
	cmd.Dir = b.Module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &core.Error{Kind: core.Invalid, What: "build the program " + name, Where: b.Module, Err: err, Detail: string(out),
			Remedy: "run from Capstan's source tree, or name it with --module"}
	}
	return path, nil
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.Log, format+"\n", args...) }

func (b *bench) note(s string) { b.result.Notes = append(b.result.Notes, s) }

// fresh is a path in work that nothing has used.
func (b *bench) fresh(name string) string {
	b.runs++
	return filepath.Join(b.work, fmt.Sprintf("%s-%d", name, b.runs))
}

// contender is one way to do a workload's work.
type contender struct {
	key result.Key
	// run does it once and fills in what it took. It checks the answer.
	run func(ctx context.Context, s *result.Sample) error
}

// alternate runs contenders in turn (law L2).
func (b *bench) alternate(ctx context.Context, list []contender) error {
	return b.rounds(ctx, b.Repeat, list)
}

// rounds runs contenders in turn, so many times.
func (b *bench) rounds(ctx context.Context, repeat int, list []contender) error {
	late := map[result.Key]bool{}
	for rep := range repeat {
		for i := range list {
			c := list[(i+rep)%len(list)]
			if late[c.key] {
				continue
			}
			s := result.Sample{Key: c.key, Repetition: rep + 1, Load: machine.Load()}
			err := c.run(ctx, &s)
			if e, ok := errors.AsType[*lateError](err); ok {
				s.Late, s.Wall, err = true, e.after.Seconds(), nil
				late[c.key] = true
				b.note(title(c.key) + ": " + e.Error())
			}
			if err != nil {
				return fmt.Errorf("%s: %w", title(c.key), err)
			}
			b.result.Samples = append(b.result.Samples, s)
			b.say("%d/%d  %-44s %7.2f s  %s", rep+1, repeat, title(c.key), s.Wall, rates(s))
		}
	}
	return nil
}

func title(k result.Key) string {
	s := k.Workload + " " + k.Series
	if k.Launcher != "" {
		s += fmt.Sprintf(", %s × %d", k.Launcher, k.Executors)
	}
	if k.Scale > 0 {
		s += fmt.Sprintf(", scale %d", k.Scale)
	}
	if k.Bytes > 0 {
		s += ", " + result.Size(k.Bytes)
	}
	return s
}

func rates(s result.Sample) string {
	if s.Late {
		return "and not finished"
	}
	if s.Stored > 0 {
		return fmt.Sprintf("%.2f bytes an edge at rest, %.2f in arrays", s.HeldPerEdge(), s.ArraysPerEdge())
	}
	if s.Loop > 0 {
		return fmt.Sprintf("%6.2f CPU-s  loading %.2f s, loop %.3f s, %.0f M edges/s per core", s.CPU, s.Loading, s.Loop, s.EdgeRate())
	}
	if s.CPU == 0 {
		return ""
	}
	line := fmt.Sprintf("%6.2f CPU-s  %4.0f MB/s per core", s.CPU, s.Rate())
	if s.Workers > 0 {
		line += fmt.Sprintf(" (executors %.0f)", s.WorkerRate())
	}
	return line
}
