package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/clusterpb"
)

// otherwise is what the flags of what-if change.
type otherwise struct {
	nodes, without, drain, end []string
	queues                     string
	size, priority             int
	cpu, memory                string
	walltime, queue            string
}

func (a *app) whatIfCommand() *cobra.Command {
	var o otherwise
	var c *cobra.Command
	c = &cobra.Command{
		Use: "what-if [JOB|SPEC]", Short: "Say what would happen in another cluster, or if a job asked for something else", Args: takes(0, 1),
		Long: `Asks a copy of the scheduler; nothing of it is real.

  capstan what-if train-7k2 --node big=cpu=64,memory=256Gi,rack=r2
  capstan what-if train-7k2 --size 8 --walltime 2h
  capstan what-if job.yaml --end other-1f0 --without node3
  capstan what-if --drain node3`,
		ValidArgsFunction: a.completeJobs,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			if err := o.check(c.Flags().Changed); err != nil {
				return err
			}
			q, err := o.request()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if _, err := os.Stat(args[0]); err == nil {
					doc, source, _, err := a.document(args[0])
					if err != nil {
						return err
					}
					q.Spec, q.Source = doc, source
				} else {
					q.Id = args[0]
				}
			}
			r, err := ask(ctx, s.Cluster().WhatIf, q)
			if err != nil {
				return err
			}
			return a.print(r, r.Starts, func(w io.Writer) { fmt.Fprintln(w, cleanLines(r.Text)) })
		}),
	}
	f := c.Flags()
	f.StringArrayVar(&o.nodes, "node", nil, "one more node, or another of that name: NAME=cpu=8,memory=32Gi,rack=r1,zone=z1,gpu=2,label.KEY=VALUE")
	f.StringArrayVar(&o.without, "without", nil, "without this node")
	f.StringArrayVar(&o.drain, "drain", nil, "if this node were drained")
	f.StringArrayVar(&o.end, "end", nil, "if this job had ended")
	f.StringVar(&o.queues, "queues", "", "with the queues of this document")
	f.IntVar(&o.size, "size", 0, "if it asked for so many executors")
	f.StringVar(&o.cpu, "cpu", "", "if each asked for so much CPU")
	f.StringVar(&o.memory, "memory", "", "if each asked for so much memory")
	f.IntVar(&o.priority, "priority", -1, "if it had this priority")
	f.StringVar(&o.walltime, "walltime", "", "if it had this walltime")
	f.StringVar(&o.queue, "queue", "", "if it were in this queue")
	return c
}

// check refuses numbers that ask for nothing, which else would change nothing.
func (o *otherwise) check(given func(flag string) bool) error {
	if given("size") && o.size < 1 {
		return core.Errorf(core.Invalid, "--size %d is no number of executors", o.size).Do("give one from 1")
	}
	if given("priority") && o.priority < 0 {
		return core.Errorf(core.Invalid, "--priority %d is no priority", o.priority).Do("give one from 0")
	}
	return nil
}

func (o *otherwise) request() (*clusterpb.WhatIfRequest, error) {
	q := new(clusterpb.WhatIfRequest)
	for _, text := range o.nodes {
		n, err := parseNode(text)
		if err != nil {
			return nil, err
		}
		doc, err := api.ToStruct(n)
		if err != nil {
			return nil, err
		}
		q.Changes = append(q.Changes, &clusterpb.Change{What: &clusterpb.Change_Node{Node: doc}})
	}
	for _, id := range o.without {
		q.Changes = append(q.Changes, &clusterpb.Change{What: &clusterpb.Change_Without{Without: id}})
	}
	for _, id := range o.drain {
		q.Changes = append(q.Changes, &clusterpb.Change{What: &clusterpb.Change_Drain{Drain: id}})
	}
	for _, id := range o.end {
		q.Changes = append(q.Changes, &clusterpb.Change{What: &clusterpb.Change_End{End: id}})
	}
	if o.queues != "" {
		doc, err := os.ReadFile(o.queues)
		if err != nil {
			return nil, core.Errorf(core.NotFound, "%v", err)
		}
		q.Changes = append(q.Changes, &clusterpb.Change{What: &clusterpb.Change_Queues{Queues: doc}})
	}
	ask := map[string]any{}
	set := func(name string, given bool, v any) {
		if given {
			ask[name] = v
		}
	}
	set("size", o.size > 0, o.size)
	set("cpu", o.cpu != "", o.cpu)
	set("memory", o.memory != "", o.memory)
	set("priority", o.priority >= 0, o.priority)
	set("walltime", o.walltime != "", o.walltime)
	set("queue", o.queue != "", o.queue)
	var err error
	if len(ask) > 0 {
		q.Ask, err = api.ToStruct(ask)
	}
	return q, err
}

// parseNode reads "big=cpu=64,memory=256Gi,rack=r2,gpu=2,label.disk=ssd".
func parseNode(text string) (core.Node, error) {
	name, rest, _ := strings.Cut(text, "=")
	n := core.Node{ID: core.NodeID(name), Labels: map[string]string{}, Generic: map[string]int64{}}
	bad := func(err error) (core.Node, error) {
		return n, core.Errorf(core.Invalid, "--node %q: %v", text, err).Do("write --node big=cpu=64,memory=256Gi,rack=r2")
	}
	for _, part := range strings.Split(rest, ",") {
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			return bad(fmt.Errorf("%q is no NAME=VALUE", part))
		}
		var err error
		switch {
		case key == "cpu":
			n.Capacity.CPU, err = core.ParseCPU(value)
		case key == "memory":
			n.Capacity.Memory, err = core.ParseBytes(value)
		case key == "rack":
			n.Rack = value
		case key == "zone":
			n.Zone = value
		case strings.HasPrefix(key, "label."):
			n.Labels[strings.TrimPrefix(key, "label.")] = value
		default:
			n.Generic[key], err = strconv.ParseInt(value, 10, 64)
		}
		if err != nil {
			return bad(err)
		}
	}
	return n, nil
}
