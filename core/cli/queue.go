package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api/clusterpb"
)

// share is a queue as the host tells of it.
type share struct {
	Queue    string         `json:"queue"`
	Weight   int64          `json:"weight"`
	Quota    map[string]any `json:"quota"`
	Used     map[string]any `json:"used"`
	Borrowed map[string]any `json:"borrowed"`
	Lent     map[string]any `json:"lent"`
	Dominant string         `json:"dominant"`
	Share    float64        `json:"share"`
	Past     float64        `json:"past"`
	Pending  int            `json:"pending"`
	Running  int            `json:"running"`
}

func (a *app) queueCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List the queues: what each may have, has, borrows and lends", Args: takes(0, 0),
		RunE: a.onHost(func(ctx context.Context, s *session, _ []string) error {
			r, err := ask(ctx, s.Cluster().Queues, &clusterpb.QueuesRequest{})
			if err != nil {
				return err
			}
			return a.printQueues(r.Queues)
		}),
	}
	show := &cobra.Command{
		Use: "show", Short: "Print the document that set the queues", Args: takes(0, 0),
		RunE: a.onHost(func(ctx context.Context, s *session, _ []string) error {
			r, err := ask(ctx, s.Cluster().Queues, &clusterpb.QueuesRequest{})
			if err != nil {
				return err
			}
			if r.Document == "" {
				return core.Errorf(core.NotFound, "no queues were set; there is one, called default").Do("`capstan queue set FILE` sets some")
			}
			_, err = io.WriteString(a.out, r.Document)
			return err
		}),
	}
	set := &cobra.Command{
		Use: "set FILE", Short: "Replace the queues and the licences by those of a document", Args: takes(1, 1),
		Long: `The document is YAML:

  default: batch            # where a job without a queue goes
  halfLife: 24h             # past use counts half after so long
  guard: 8h                 # whoever waited so long goes first
  licences: {matlab: 4}
  queues:
  - {name: batch, order: turn}
  - name: research/vision
    weight: 2
    quota: {cpu: 20, memory: 64Gi, gpu: 8}
    borrow: {cpu: 40}
    maxPerUser: 10
    preemptLower: true`,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			doc, err := a.readFile(args[0])
			if err != nil {
				return err
			}
			r, err := ask(ctx, s.Cluster().SetQueues, &clusterpb.SetQueuesRequest{Document: doc, Source: args[0]})
			if err != nil {
				return err
			}
			return a.printQueues(r.Queues)
		}),
	}
	return family(&cobra.Command{Use: "queue", Short: "Look at the queues and set them"}, list, show, set)
}

// readFile reads a file, or the standard input for "-".
func (a *app) readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(a.in)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, core.Errorf(core.NotFound, "%v", err)
	}
	return b, nil
}

func (a *app) printQueues(list []*structpb.Struct) error {
	queues, names, err := fromStructs[share](list, func(v share) string { return v.Queue })
	if err != nil {
		return err
	}
	for i := range queues { // a program finds an object there, be it empty
		for _, m := range []*map[string]any{&queues[i].Quota, &queues[i].Used, &queues[i].Borrowed, &queues[i].Lent} {
			if *m == nil {
				*m = map[string]any{}
			}
		}
	}
	return a.print(queues, names, func(w io.Writer) {
		fmt.Fprintln(w, "QUEUE\tWEIGHT\tRUNNING\tPENDING\tUSED\tQUOTA\tBORROWED\tLENT\tSHARE\tPAST")
		for _, q := range queues {
			name := q.Queue
			if name == "" {
				name = "(cluster)"
			}
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%.1f%% %s\t%.1f%%\n", name, q.Weight, q.Running, q.Pending,
				amounts(q.Used), amounts(q.Quota), amounts(q.Borrowed), amounts(q.Lent), 100*q.Share, q.Dominant, 100*q.Past)
		}
	})
}

// amounts is "cpu 4, memory 8Gi"; "-" for nothing.
func amounts(m map[string]any) string {
	if len(m) == 0 {
		return "-"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %v", name, m[name]))
	}
	return strings.Join(parts, ", ")
}

func (a *app) reservationCommand() *cobra.Command {
	var start, length string
	var nodes []string
	set := &cobra.Command{
		Use: "set NAME --node NODE… --for 2h [--start TIME]", Short: "Keep nodes for the jobs that name the reservation", Args: takes(1, 1),
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			q := &clusterpb.ReserveRequest{Name: args[0], Nodes: nodes}
			from, d := time.Now(), time.Duration(0)
			var err error
			if start != "" {
				if from, err = moment(start); err != nil {
					return err
				}
			}
			if d, err = time.ParseDuration(length); err != nil || d <= 0 {
				return core.Errorf(core.Invalid, "a reservation needs a length").Do("add --for 2h")
			}
			q.Start, q.End = from.UnixMilli(), from.Add(d).UnixMilli()
			r, err := ask(ctx, s.Cluster().Reserve, q)
			if err != nil {
				return err
			}
			return a.printReservations(r.Reservations)
		}),
	}
	set.Flags().StringVar(&start, "start", "", "when it begins: 2h from now, or 2026-12-01T08:00:00Z (default: now)")
	set.Flags().StringVar(&length, "for", "", "how long it lasts")
	set.Flags().StringSliceVar(&nodes, "node", nil, "a node to keep; give it again for more")
	list := &cobra.Command{
		Use: "list", Short: "List the reservations in advance", Args: takes(0, 0),
		RunE: a.onHost(func(ctx context.Context, s *session, _ []string) error {
			r, err := ask(ctx, s.Cluster().Reservations, &clusterpb.ReservationsRequest{})
			if err != nil {
				return err
			}
			return a.printReservations(r.Reservations)
		}),
	}
	remove := &cobra.Command{
		Use: "delete NAME", Short: "End a reservation", Args: takes(1, 1),
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			r, err := ask(ctx, s.Cluster().Unreserve, &clusterpb.UnreserveRequest{Name: args[0]})
			if err != nil {
				return err
			}
			return a.printReservations(r.Reservations)
		}),
	}
	return family(&cobra.Command{Use: "reservation", Short: "Keep nodes for jobs to come"}, list, set, remove)
}

func (a *app) printReservations(list []*structpb.Struct) error {
	type reservation struct {
		Name  string   `json:"name"`
		Start int64    `json:"start"`
		End   int64    `json:"end"`
		Nodes []string `json:"nodes"`
	}
	all, names, err := fromStructs[reservation](list, func(v reservation) string { return v.Name })
	if err != nil {
		return err
	}
	return a.print(all, names, func(w io.Writer) {
		fmt.Fprintln(w, "RESERVATION\tSTART\tEND\tNODES")
		at := func(ms int64) string { return time.UnixMilli(ms).Local().Format("2006-01-02 15:04:05") }
		for _, r := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Name, at(r.Start), at(r.End), strings.Join(r.Nodes, ","))
		}
	})
}
