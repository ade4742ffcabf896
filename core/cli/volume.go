package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api/clusterpb"
)

func (a *app) volumeCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List volumes, what is in them and which job has them", Args: takes(0, 0),
		RunE: a.onHost(func(ctx context.Context, s *session, _ []string) error {
			r, err := ask(ctx, s.Cluster().Volumes, &clusterpb.VolumesRequest{})
			if err != nil {
				return err
			}
			type volume struct {
				Volume  string     `json:"volume"`
				Bytes   core.Bytes `json:"bytes"`
				Changed time.Time  `json:"changed"`
				Job     string     `json:"job,omitempty"`
			}
			all, names, err := fromStructs[volume](r.Volumes, func(v volume) string { return v.Volume })
			if err != nil {
				return err
			}
			if len(all) == 0 {
				a.hint("no volumes; a service has some with spec.volumes")
			}
			return a.print(all, names, func(w io.Writer) {
				if len(all) == 0 {
					return
				}
				fmt.Fprintln(w, "VOLUME\tSIZE\tCHANGED\tJOB")
				for _, v := range all {
					job := v.Job
					if job == "" {
						job = "-"
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", clean(v.Volume), size(int64(v.Bytes)), ago(v.Changed), clean(job))
				}
			})
		}),
	}
	remove := &cobra.Command{
		Use: "rm VOLUME…", Aliases: []string{"remove", "delete"}, Short: "Remove volumes with what is in them, unless a job has them", Args: takes(1, -1),
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			return a.each(args, func(name string) error {
				if _, err := ask(ctx, s.Cluster().RemoveVolume, &clusterpb.RemoveVolumeRequest{Name: name}); err != nil {
					return err
				}
				return a.item(map[string]any{"volume": name}, name, name)
			})
		}),
	}
	return family(&cobra.Command{Use: "volume", Short: "Look at the directories that outlive services, and remove them"}, list, remove)
}
