package benchmarks

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/benchmarks/graph"
	"github.com/capstan-run/capstan/benchmarks/mesh"
	"github.com/capstan-run/capstan/benchmarks/mpi"
	"github.com/capstan-run/capstan/benchmarks/mpisuite"
	"github.com/capstan-run/capstan/benchmarks/page"
	"github.com/capstan-run/capstan/benchmarks/result"
	"github.com/capstan-run/capstan/benchmarks/schedule"
	"github.com/capstan-run/capstan/core"
)

// Command is "capstan bench" of a binary of that version.
func Command(version string) *cobra.Command {
	o := options{Config: Config{Version: version}}
	c := &cobra.Command{
		Use:       "bench [WORKLOAD...]",
		Short:     "Measure this binary against its peers",
		ValidArgs: append(result.Workloads(), "all"),
		Args:      cobra.ArbitraryArgs, // Validate tells what is wrong with them
		Long: `Runs workloads through this binary and through its peers, in turn, checks every
answer, and writes what they took as results.json and results.html.

  wordcount   built-in, typed and script jobs, against one thread of Go and Spark
  latency     a small job: with no host running, and on a warm host
  files       many small files against the same bytes in one
  gang        executors started together, against the bare Docker engine
  exchange    rows scattered, written, read and verified, per CPU-second; disk,
              requests, a sweep over tiers and codecs, and Spark's shuffle
  store       objects put and got, against minio-go alone
  mesh        messages between two ranks, against MPICH and iperf3
  terasort    a sort of records of 100 bytes, validated, against Spark's
  skew        sums of rows of which half have one key, against even keys
  kill        a sort that loses an executor, against one that loses none
  graph       PageRank and other algorithms on R-MAT graphs, against GraphX, one
              thread of Go and C++; gangs of all sizes, answers against NetworkX's, memory
              at rest, supersteps, checkpoints, a kill, little memory`,
		Example: `  capstan bench wordcount --sizes 1GB --peers single,spark
  capstan bench all --repeat 5
  capstan bench --from benchmarks/results/results.json    # make the page again`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	f := c.Flags()
	f.StringSliceVar(&o.sizes, "sizes", []string{"1GB"}, "bytes of the input of wordcount, terasort, skew and kill: 1MB, 90MB, 1GB")
	f.StringSliceVar(&o.Variants, "variants", slices.Collect(variantNames()), "jobs of wordcount")
	f.StringSliceVar(&o.Launchers, "launchers", nil, "docker, process (default: docker if an engine answers, and process)")
	f.IntSliceVar(&o.Executors, "executors", nil, "gang sizes of wordcount and terasort (default 1, 2, 4 and so on up to the cores)")
	f.IntVar(&o.Repeat, "repeat", 3, "runs of each contender")
	f.StringSliceVar(&o.Peers, "peers", []string{"single"}, "single, spark, and of graph also cpp and networkx (spark and networkx are installed into the cache if they are not there)")
	f.IntVar(&o.Files, "files", 10000, "how many files the files workload cuts its text into")
	f.StringVar(&o.filesSize, "files-size", "90MB", "bytes of text of the files workload")
	f.StringVar(&o.jobSize, "job-size", "1MB", "bytes of text of the latency and gang workloads")
	f.IntVar(&o.GangSize, "gang-size", 8, "executors of the gang workload")
	f.IntSliceVar(&o.Gangs, "gangs", []int{2, 4}, "gang sizes of skew and kill")
	f.IntSliceVar(&o.Graph.Scales, "scales", []int{20}, "of the graphs of graph: 2^scale ids, 16 edges for each")
	f.StringSliceVar(&o.Graph.Algorithms, "algorithms", graph.Algorithms(), "of graph")
	f.StringSliceVar(&o.Graph.Parts, "graph-parts", graphParts(), "of graph: "+strings.Join(graphParts(), ", "))
	f.DurationVar(&o.Graph.Patience, "patience", 10*time.Minute, "how long a run of a peer on a graph may take")
	f.DurationVar(&o.Settle, "settle", 4*time.Second, "pause in which a warm host makes new executors ready")
	f.StringVar(&o.out, "out", filepath.Join("benchmarks", "results"), "directory for results.json and results.html")
	f.StringVar(&o.Cache, "cache", defaultCache(), "directory for texts and Spark; a few GB")
	f.StringVar(&o.Module, "module", ".", "Capstan's source tree, to build the Go programs from")
	f.StringVar(&o.from, "from", "", "make the page of this results.json and run nothing")
	c.AddCommand(schedule.Command(), mpi.Command())
	c.AddCommand(mpisuite.Command(filepath.Join(filepath.Dir(defaultCache()), "mpi")))
	c.AddCommand(&cobra.Command{
		Use:    meshRank + " ORDER",
		Short:  "Be a rank of the mesh workload",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(_ *cobra.Command, args []string) error { return mesh.Rank(args[0]) },
	})
	return c
}

// options is what the command line says.
type options struct {
	Config
	sizes              []string
	filesSize, jobSize string
	out, from          string
}

func defaultCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "capstan", "bench")
}

func (o *options) run(cmd *cobra.Command, args []string) error {
	var r *result.Result
	var failure error
	if o.from != "" {
		var err error
		if r, err = result.Read(o.from); err != nil {
			return core.Errorf(core.Invalid, "%v", err).At(o.from).Do("name a results.json of an earlier run")
		}
	} else {
		if err := o.complete(cmd.Context(), args); err != nil {
			return err
		}
		o.Log = cmd.ErrOrStderr()
		// An error in the middle does not lose what was measured before.
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if r, failure = Run(ctx, o.Config); r == nil || len(r.Samples) == 0 {
			return explained(failure)
		}
	}
	if err := o.write(r); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if format := cmd.Flag("output"); format != nil && format.Value.String() == "json" {
		b, err := r.JSON()
		if err == nil {
			_, err = out.Write(b)
		}
		if err != nil {
			return err
		}
	} else {
		o.print(out, r)
	}
	return explained(failure)
}

// explained makes a benchmark's error one for its user: of the kind and with
// the remedy of its cause, and with the words around it, which say which run
// it was.
func explained(err error) error {
	if err == nil {
		return nil
	}
	cause := core.AsError(err)
	return &core.Error{Kind: cause.Kind, Remedy: cause.Remedy, Detail: cause.Detail, Err: err}
}

// complete fills in what the flags leave open.
func (o *options) complete(ctx context.Context, args []string) error {
	o.Workloads = args
	switch {
	case len(args) == 0:
		o.Workloads = []string{result.WordCount}
	case slices.Contains(args, "all"):
		o.Workloads = result.Workloads()
	}
	for _, s := range o.sizes {
		n, err := parseSize("--sizes", s)
		if err != nil {
			return err
		}
		o.Sizes = append(o.Sizes, n)
	}
	var err error
	if o.FilesSize, err = parseSize("--files-size", o.filesSize); err != nil {
		return err
	}
	if o.JobSize, err = parseSize("--job-size", o.jobSize); err != nil {
		return err
	}
	// Jobs name it in URLs, and programs are built from another directory.
	if o.Cache, err = filepath.Abs(o.Cache); err != nil {
		return err
	}
	if len(o.Executors) == 0 {
		o.Executors = upTo(runtime.NumCPU())
	}
	if len(o.Launchers) == 0 {
		o.Launchers = []string{"process"}
		if exec.CommandContext(ctx, "docker", "version").Run() == nil {
			o.Launchers = []string{"docker", "process"}
		}
	}
	if o.Capstan, err = os.Executable(); err != nil {
		return err
	}
	return nil
}

// upTo is 1, 2, 4 and so on below n, then n.
func upTo(n int) []int {
	var list []int
	for i := 1; i < n; i *= 2 {
		list = append(list, i)
	}
	return append(list, n)
}

// parseSize reads an amount of at least 1 kB: less has no lines to cut.
func parseSize(flag, s string) (int64, error) {
	n, err := core.ParseBytes(s)
	if err != nil || n < 1000 {
		return 0, core.Errorf(core.Invalid, "%q is not an amount of text", s).At(flag).Do("write 1MB, 90MB or 1GB")
	}
	return int64(n), nil
}

// write writes the result's two files.
func (o *options) write(r *result.Result) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return core.Errorf(core.Denied, "%v", err).At(o.out).Do("name another directory with --out")
	}
	j, err := r.JSON()
	if err != nil {
		return err
	}
	html, err := page.Render(r)
	if err != nil {
		return err
	}
	for name, b := range map[string][]byte{"results.json": j, "results.html": html} {
		if err := os.WriteFile(filepath.Join(o.out, name), b, fs.FileMode(0o644)); err != nil {
			return core.Errorf(core.Denied, "%v", err).At(o.out).Do("name another directory with --out")
		}
	}
	return nil
}

// print tells the verdicts.
func (o *options) print(w io.Writer, r *result.Result) {
	for _, v := range r.Judge() {
		mark := "kept  "
		if !v.Kept {
			mark = "missed"
		}
		fmt.Fprintf(w, "%s  %-60s %-22s %s\n", mark, v.What, v.Measured, v.Goal)
	}
	fmt.Fprintf(w, "results  %s\n", strings.Join([]string{filepath.Join(o.out, "results.html"), filepath.Join(o.out, "results.json")}, "  "))
}
