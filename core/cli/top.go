package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/api/clusterpb"
)

// load is a node as top shows it.
type load struct {
	core.Node
	State     string         `json:"state"`
	Free      core.Resources `json:"free"`
	Executors int            `json:"executors"`
}

// holder is a gang as top shows it.
type holder struct {
	Gang     string         `json:"gang"`
	State    string         `json:"state"`
	Queue    string         `json:"queue,omitempty"`
	User     string         `json:"user,omitempty"`
	Priority int            `json:"priority"`
	Size     int            `json:"size"`
	Each     core.Resources `json:"each"`
	Nodes    []string       `json:"nodes,omitempty"`
	Since    int64          `json:"since,omitempty"`
	Position int            `json:"position"`
	Promise  int64          `json:"promise,omitempty"`
	Elements *struct {
		Waiting string `json:"waiting"`
	} `json:"elements,omitempty"`
}

func (a *app) topCommand() *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use: "top", Short: "Show who has the cluster and who is next", Args: takes(0, 0),
		RunE: a.onHost(func(ctx context.Context, s *session, _ []string) error {
			n, err := ask(ctx, s.RPC().Nodes, &apipb.NodesRequest{})
			if err != nil {
				return err
			}
			g, err := ask(ctx, s.Cluster().Gangs, &clusterpb.GangsRequest{})
			if err != nil {
				return err
			}
			nodes, _, err := fromStructs[load](n.Nodes, func(v load) string { return string(v.ID) })
			if err != nil {
				return err
			}
			gangs, _, err := fromStructs[holder](g.Gangs, func(v holder) string { return v.Gang })
			if err != nil {
				return err
			}
			return a.printTop(nodes, gangs, limit)
		}),
	}
	c.Flags().IntVarP(&limit, "lines", "n", 20, "gangs of each sort to show")
	return c
}

func (a *app) printTop(nodes []load, gangs []holder, limit int) error {
	has, waits := []holder{}, []holder{} // a script reads [], not null
	for _, g := range gangs {
		switch {
		case len(g.Nodes) > 0:
			has = append(has, g)
		case g.Elements == nil || g.Elements.Waiting != "": // else its elements run
			waits = append(waits, g)
		}
	}
	slices.SortStableFunc(has, func(x, y holder) int { return int(y.cpu() - x.cpu()) })
	slices.SortStableFunc(waits, func(x, y holder) int { return x.place() - y.place() })
	names := make([]string, 0, len(gangs))
	for _, g := range slices.Concat(has, waits) {
		names = append(names, g.Gang)
	}
	v := map[string]any{"nodes": nodes, "running": has, "waiting": waits}
	return a.print(v, names, func(w io.Writer) {
		printLoad(w, nodes)
		fmt.Fprintln(w, "\nRUNNING\tSTATE\tQUEUE\tUSER\tPRIORITY\tEXECUTORS\tCPU\tMEMORY\tFOR")
		for _, g := range has[:min(limit, len(has))] {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", clean(g.Gang), g.State, g.Queue, clean(g.User), g.Priority, len(g.Nodes),
				core.MilliCPU(g.cpu()), (g.Each.Memory * core.Bytes(len(g.Nodes))).Short(), since(g.Since))
		}
		if len(waits) == 0 {
			return
		}
		fmt.Fprintln(w, "\nWAITING\tLINE\tQUEUE\tUSER\tPRIORITY\tASKS FOR\tPROMISED BY")
		for _, g := range waits[:min(limit, len(waits))] {
			line, promised := "held", "-"
			if g.Position > 0 {
				line = fmt.Sprint(g.Position)
			}
			if g.Promise > 0 {
				promised = time.UnixMilli(g.Promise).Local().Format("2006-01-02 15:04:05")
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d x (%s)\t%s\n", clean(g.Gang), line, g.Queue, clean(g.User), g.Priority, g.Size, g.Each, promised)
		}
	})
}

func printLoad(w io.Writer, nodes []load) {
	var total, free core.Resources
	executors, up := 0, 0
	for _, n := range nodes {
		total, free = total.Add(n.Capacity), free.Add(n.Free)
		executors += n.Executors
		if n.State == "up" {
			up++
		}
	}
	used := total.Sub(free)
	fmt.Fprintf(w, "%d of %d nodes up, %d executors, cpu %s of %s, memory %s of %s\n", up, len(nodes), executors,
		used.CPU, total.CPU, used.Memory.Short(), total.Memory.Short())
}

// cpu is what the gang holds, in milli-CPUs.
func (g *holder) cpu() int64 { return int64(g.Each.CPU) * int64(len(g.Nodes)) }

// place orders those that wait: those in line, then those that are held.
func (g *holder) place() int {
	if g.Position == 0 {
		return 1 << 30
	}
	return g.Position
}

func since(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.Since(time.UnixMilli(ms)).Round(time.Second).String()
}
