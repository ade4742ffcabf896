package schedule

import (
	"encoding/json"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Command is "bench schedule".
func Command() *cobra.Command {
	var c Config
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Measure the scheduler against its goals",
		Long:  "Runs the scheduler's workloads and prints each figure beside its goal.\n\n" + list(),
		Example: `  capstan bench schedule
  capstan bench schedule --only gangs,round`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			c.Log = cmd.ErrOrStderr()
			rows, err := Run(ctx, c)
			out := cmd.OutOrStdout()
			if format := cmd.Flag("output"); format != nil && format.Value.String() == "json" {
				enc := json.NewEncoder(out)
				enc.SetIndent("", "  ")
				return first(err, enc.Encode(rows))
			}
			return first(err, Print(out, rows))
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&c.Only, "only", nil, "workloads to run (default all)")
	f.IntVar(&c.Scale, "scale", 1, "divide clusters and loads by so much; goals are held only against the whole")
	f.StringVar(&c.Dir, "dir", "", "directory for journals, on the disk to be measured (default the system's temporary one)")
	return cmd
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// list is the workloads and what they are about.
func list() string {
	var b strings.Builder
	for _, w := range workloads() {
		b.WriteString("  " + w.name + strings.Repeat(" ", 17-len(w.name)) + w.about + "\n")
	}
	return b.String()
}
