package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "rank" {
		exit(runRank(os.Args[2:]))
	}
	repeat := flag.Int("repeat", 3, "runs of each contender")
	only := flag.String("only", "shm,tcp", "what to measure")
	cache := flag.String("cache", defaultCache(), "directory for the compiled MPI program")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for _, what := range strings.Split(*only, ",") {
		list, verdicts, err := contenders(ctx, what, *cache)
		if err == nil {
			err = compare(ctx, what, list, verdicts, *repeat)
		}
		if err != nil {
			exit(err)
		}
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func defaultCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "capstan", "bench")
}

// contender is one program; a run adds its batches to samples.
type contender struct {
	name string
	run  func(ctx context.Context) (samples, error)
}

// samples are nanoseconds by what was measured.
type samples map[string][]float64

// verdict compares two lines.
type verdict struct {
	what, ours, peer string
	most             float64 // of ours to the peer's; 0: no goal
}

// compare runs a list in turn and prints what it took.
func compare(ctx context.Context, what string, list []contender, verdicts []verdict, repeat int) error {
	all := samples{}
	for rep := range repeat {
		for i := range list {
			c := list[(i+rep)%len(list)]
			got, err := c.run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			for line, v := range got {
				all[line] = append(all[line], v...)
			}
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\tmedian\tbest\tmedian rate\tbatches\n", what)
	for _, line := range sorted(all) {
		v := all[line]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", line, duration(median(v)), duration(slices.Min(v)), rate(line, median(v)), len(v))
	}
	for _, v := range verdicts {
		ours, peer := all[v.ours], all[v.peer]
		if len(ours) == 0 || len(peer) == 0 {
			continue
		}
		ratio, mark, goal := median(ours)/median(peer), "kept", fmt.Sprintf("at most %.2f", v.most)
		switch {
		case v.most == 0:
			mark, goal = "shown", "none"
		case ratio > v.most:
			mark = "missed"
		}
		fmt.Fprintf(w, "%s\t%s: %.2f of the time of %s (best to best %.2f)\tgoal: %s\t\t\n",
			v.what, mark, ratio, v.peer, slices.Min(ours)/slices.Min(peer), goal)
	}
	return w.Flush()
}

func sorted(s samples) []string {
	var names []string
	for n := range s {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func duration(ns float64) string {
	if ns < 1e4 {
		return fmt.Sprintf("%.0f ns", ns)
	}
	if ns < 1e6 {
		return fmt.Sprintf("%.1f µs", ns/1e3)
	}
	return fmt.Sprintf("%.2f ms", ns/1e6)
}

// rate is for lines of 64 MiB: there and back over shared memory.
func rate(line string, ns float64) string {
	switch {
	case !strings.Contains(line, "64 MiB"):
		return ""
	case strings.HasPrefix(line, "tcp"):
		return fmt.Sprintf("%.0f MB/s", large/ns*1e3)
	default:
		return fmt.Sprintf("%.0f MB/s", 2*large/ns*1e3)
	}
}
