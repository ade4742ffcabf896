package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/api/clusterpb"
)

func (a *app) nodeCommand() *cobra.Command {
	return family(&cobra.Command{Use: "node", Short: "Look at the machines and drain them"}, a.nodeDrainCommand(), a.nodeOpenCommand(), &cobra.Command{
		Use: "list", Short: "List nodes, what they have and what is free", Args: takes(0, 0),
		RunE: a.onHost(func(ctx context.Context, s *session, _ []string) error {
			r, err := ask(ctx, s.RPC().Nodes, &apipb.NodesRequest{})
			if err != nil {
				return err
			}
			type node struct {
				core.Node
				Launcher  string         `json:"launcher"`
				Free      core.Resources `json:"free"`
				Executors int            `json:"executors"`
				State     string         `json:"state"`
				Until     int64          `json:"until,omitempty"` // deadline of its drain, or end of its quarantine
				Warm      struct {
					Ready  int `json:"ready"`
					Wanted int `json:"wanted"`
				} `json:"warm"` // executors that stand ready for the next gang of a usual shape
			}
			nodes, names, err := fromStructs[node](r.Nodes, func(n node) string { return string(n.ID) })
			if err != nil {
				return err
			}
			for i := range nodes {
				nodes[i].Launcher = s.info.Launcher
			}
			return a.print(nodes, names, func(w io.Writer) {
				fmt.Fprintln(w, "NODE\tSTATE\tLAUNCHER\tCPU FREE\tMEMORY FREE\tEXECUTORS\tWARM")
				for _, n := range nodes {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s of %s\t%s of %s\t%d\t%d of %d\n", n.ID, stateUntil(n.State, n.Until), n.Launcher, n.Free.CPU, n.Capacity.CPU,
						n.Free.Memory.Short(), n.Capacity.Memory.Short(), n.Executors, n.Warm.Ready, n.Warm.Wanted)
				}
			})
		}),
	})
}

func (a *app) nodeDrainCommand() *cobra.Command {
	var until string
	c := &cobra.Command{
		Use: "drain NODE", Short: "Let a node take no new executors; by a deadline, move away what is left", Args: takes(1, 1),
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			q := &clusterpb.DrainRequest{Node: args[0]}
			if until != "" {
				at, err := moment(until)
				if err != nil {
					return err
				}
				q.Until = at.UnixMilli()
			}
			return a.drained(ctx, s, q)
		}),
	}
	c.Flags().StringVar(&until, "until", "", "deadline, as 30m from now or 2026-12-01T08:00:00Z: what is left by then goes back to the queue, or on another node")
	return c
}

func (a *app) nodeOpenCommand() *cobra.Command {
	return &cobra.Command{
		Use: "open NODE", Short: "End a node's drain or quarantine", Args: takes(1, 1),
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			return a.drained(ctx, s, &clusterpb.DrainRequest{Node: args[0], Undo: true})
		}),
	}
}

func (a *app) drained(ctx context.Context, s *session, q *clusterpb.DrainRequest) error {
	r, err := ask(ctx, s.Cluster().Drain, q)
	if err != nil {
		return err
	}
	var n struct {
		State     string `json:"state"`
		Until     int64  `json:"until"`
		Executors int    `json:"executors"`
	}
	if err := api.FromStruct(r.Node, &n); err != nil {
		return err
	}
	return a.print(r.Node, []string{q.Node}, func(w io.Writer) {
		fmt.Fprintf(w, "node %s is %s; %d executors run there\n", q.Node, stateUntil(n.State, n.Until), n.Executors)
	})
}

// stateUntil is a node's state and, if it has one, its end: "draining until 08:00:00".
func stateUntil(state string, until int64) string {
	if until == 0 {
		return state
	}
	at, form := time.UnixMilli(until).Local(), "15:04:05"
	if at.Format(time.DateOnly) != time.Now().Format(time.DateOnly) {
		form = time.DateTime
	}
	return state + " until " + at.Format(form)
}

// moment reads a time, or how long it is from now.
func moment(text string) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return time.Now().Add(d), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, core.Errorf(core.Invalid, "%q is no time", text).Do("write 30m for so long from now, or 2026-12-01T08:00:00Z")
	}
	return at, nil
}
