package mpisuite

import (
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
)

// options is what the command line says.
type options struct {
	launchers []string
	limit     time.Duration
	only      string
	again     bool
	cache     string
	record    string
	host      string
	table     bool
}

// directories are those that are run when none is named.
func directories() []string {
	return []string{"attr", "coll", "comm", "datatype", "errhan", "group", "info", "init", "pt2pt", "rma", "spawn", "topo", "io", "errors",
		"threads", "impls", "f77", "cxx", "f90", mpi4py}
}

// Command is "bench mpi-suite". cache is the directory for the programs.
func Command(cache string) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "mpi-suite [DIRECTORY...]",
		Short: "Run MPICH's own test programs under Capstan and under mpiexec.hydra",
		Long: `Gets and builds MPICH's test programs, once, runs each under both launchers as
its testlist says, and tells which pass under both, under one, and under none. The
directory mpi4py is that library's own test suite, a case for each of its files.
What has run is kept, so that a run can be broken off and taken up again.

Launchers: hydra (mpiexec.hydra), capstan (capstan mpiexec), and server, which
is the process management interface alone, without a host.`,
		Example: `  capstan bench mpi-suite pt2pt coll --limit 60s
  capstan bench mpi-suite --only 'rma/lock' --again
  capstan bench mpi-suite --table`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.launchers, "launchers", []string{"hydra", "capstan"}, "two of hydra, capstan, server: the first is held against the second")
	f.DurationVar(&o.limit, "limit", time.Minute, "most that a case may take; more of it are told as late")
	f.StringVar(&o.only, "only", "", "run cases whose name matches this pattern")
	f.BoolVar(&o.again, "again", false, "run what has run before, too")
	f.BoolVar(&o.table, "table", false, "run nothing, and print the table of what has run")
	f.StringVar(&o.cache, "cache", cache, "directory for source, programs and record; 300 MB")
	f.StringVar(&o.record, "record", "", "file for what came of each case (default in the cache)")
	f.StringVar(&o.host, "at", "", "address of the host for launcher capstan (default: what capstan mpiexec finds)")
	return cmd
}

func (o *options) run(cmd *cobra.Command, dirs []string) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	launchers, err := o.chosen()
	if err != nil {
		return err
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return core.Errorf(core.Invalid, "%v", err).At("--only")
	}
	if o.record == "" {
		o.record = filepath.Join(o.cache, "record.jsonl")
	}
	rec, err := openRecord(o.record)
	if err != nil {
		return err
	}
	if !o.table {
		if len(dirs) == 0 {
			dirs = directories()
		}
		src := source{cache: o.cache, log: cmd.ErrOrStderr()}
		root, err := src.programs(ctx)
		if err != nil {
			return err
		}
		tree, err := src.tree(ctx)
		if err != nil {
			return err
		}
		list, err := src.cases(ctx, root, tree, dirs)
		if err != nil {
			return err
		}
		s := suite{root: root, launchers: launchers, limit: o.limit, only: only, again: o.again, record: rec, log: cmd.ErrOrStderr()}
		if err := s.run(ctx, list); err != nil {
			return err
		}
	}
	return rec.write(cmd.OutOrStdout(), launchers[0].Name(), launchers[1].Name())
}

// chosen are the two launchers.
func (o *options) chosen() ([]Launcher, error) {
	var list []Launcher
	for _, name := range o.launchers {
		switch name {
		case "hydra":
			list = append(list, Hydra())
		case "server":
			list = append(list, Local{})
		case "capstan":
			self, err := os.Executable()
			if err != nil {
				return nil, err
			}
			list = append(list, Mpiexec(self, o.host))
		default:
			return nil, core.Errorf(core.Invalid, "no launcher %q", name).At("--launchers").Do("name two of hydra, capstan and server")
		}
	}
	if len(list) != 2 {
		return nil, core.Errorf(core.Invalid, "%d launchers", len(list)).At("--launchers").Do("name two of hydra, capstan and server")
	}
	return list, nil
}
