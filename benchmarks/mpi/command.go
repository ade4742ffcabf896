package mpi

import (
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/benchmarks/mpi/rank"
)

// Command is "bench mpi".
func Command() *cobra.Command {
	var c Config
	cmd := &cobra.Command{
		Use:   "mpi",
		Short: "Measure message passing against MPICH",
		Long: "Runs MPI's workloads on the native API and on MPICH, in turn, and prints each\n" +
			"figure beside MPICH's and its goal. Needs the packages mpich and libmpich-dev;\n" +
			"without them only ours is told.\n\n" + list(),
		Example: `  capstan bench mpi
  capstan bench mpi --only pingpong,tcp -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			self, err := os.Executable()
			if err != nil {
				return err
			}
			c.Capstan, c.Log = self, cmd.ErrOrStderr()
			rows, err := Run(ctx, c)
			out := cmd.OutOrStdout()
			if format := cmd.Flag("output"); format != nil && format.Value.String() == "json" {
				enc := json.NewEncoder(out)
				enc.SetIndent("", "  ")
				return errors.Join(err, enc.Encode(rows))
			}
			return errors.Join(err, Print(out, rows))
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&c.Only, "only", nil, "parts to run (default all)")
	f.StringVar(&c.Module, "module", ".", "Capstan's source tree, to build the native program from")
	f.IntVar(&c.Rounds, "rounds", 20, "batches of each player for each figure")
	cmd.AddCommand(&cobra.Command{
		Use:    rankCommand + " PLAYER PREFIX",
		Short:  "Be a rank of the benchmark",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE:   func(cmd *cobra.Command, args []string) error { return rank.Play(cmd.Context(), args[0], args[1]) },
	})
	return cmd
}

// list is the parts and what they are about.
func list() string {
	var b strings.Builder
	for _, p := range parts() {
		b.WriteString("  " + p.name + strings.Repeat(" ", 16-len(p.name)) + p.about + "\n")
	}
	return b.String()
}
