package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/spec"
)

// kinds are the host's frameworks if one answers, else the built-in ones.
func (a *app) kinds(ctx context.Context) []core.Description {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, _, err := a.host(ctx)
	if err != nil {
		return a.Kinds
	}
	defer c.Close()
	list, err := c.Kinds(ctx)
	if err != nil {
		return a.Kinds
	}
	return list
}

func (a *app) kind(ctx context.Context, name string) (*core.Description, error) {
	var names []string
	for _, k := range a.kinds(ctx) {
		if strings.EqualFold(k.Kind, name) {
			return &k, nil
		}
		names = append(names, k.Kind)
	}
	return nil, core.Errorf(core.NotFound, "no framework serves kind %q", name).Do("there are: " + strings.Join(names, ", "))
}

func (a *app) completeKinds(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, k := range a.Kinds {
		out = append(out, k.Kind+"\t"+k.Summary)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init KIND", Short: "Write a first document of a kind to standard output", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeKinds,
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := a.kind(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(a.out, strings.TrimRight(k.Example, "\n")+"\n")
			return err
		},
	}
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema KIND", Short: "Print the JSON Schema of a kind's documents, for editors", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeKinds,
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := a.kind(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			s, err := spec.Schema(k)
			if err != nil {
				return err
			}
			_, err = a.out.Write(s)
			return err
		},
	}
}

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "validate SPEC", Short: "Check a document, without a host", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			doc, source, dir, err := a.document(args[0])
			if err != nil {
				return err
			}
			kinds := a.kinds(cmd.Context())
			s, err := spec.Parse(doc, source, kinds)
			if err != nil {
				return err
			}
			if err := a.check(s, doc, source); err != nil {
				return err
			}
			if _, err := spec.Ships(doc, kinds, dir); err != nil {
				return err
			}
			if a.output == "json" || a.output == "yaml" {
				return a.print(s, nil, nil)
			}
			a.hint("%s is a valid %s job", source, s.Kind)
			return nil
		},
	}
}

func (a *app) planCommand() *cobra.Command {
	return &cobra.Command{
		Use: "plan SPEC", Short: "Say what a job would do and where it would run, without running it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			doc, source, dir, err := a.document(args[0])
			if err != nil {
				return err
			}
			return a.anyHost(ctx, func(ctx context.Context, s *session) error {
				kinds, err := s.Kinds(ctx)
				if err != nil {
					return err
				}
				draft, err := spec.Ships(doc, kinds, dir)
				if err != nil {
					return err
				}
				if len(draft.Files) > 0 {
					if doc, err = a.ship(ctx, s.Client, draft); err != nil {
						return err
					}
				}
				r, err := ask(ctx, s.RPC().Plan, &apipb.SubmitRequest{Spec: doc, Source: source})
				if err != nil {
					return err
				}
				return a.printPlan(r)
			})
		},
	}
}

func (a *app) printPlan(r *apipb.PlanResponse) error {
	var p core.Plan
	if err := api.FromStruct(r.Plan, &p); err != nil {
		return err
	}
	if a.output == "json" || a.output == "yaml" {
		if err := a.print(map[string]any{"plan": p, "placement": r.Placement, "placeableNow": r.PlaceableNow, "placeableEver": r.PlaceableEver}, nil, nil); err != nil {
			return err
		}
	} else {
		for _, g := range p.Gangs {
			fmt.Fprintf(a.out, "gang %s: %d executors of %s cpu, %s memory\n", g.Name, g.Size, g.CPU, g.Memory)
		}
		for _, s := range p.Stages {
			over := ""
			if s.Bytes > 0 {
				over = " over " + size(s.Bytes)
			}
			fmt.Fprintf(a.out, "stage %s: %d tasks%s\n", s.Name, s.Tasks, over)
		}
		fmt.Fprintln(a.out, r.Placement)
		for _, d := range p.Diagnostics {
			a.hint("%s %s", a.colour(yellow, "warning:"), d)
		}
	}
	if !r.PlaceableEver {
		return exitCode(core.Unplaceable.ExitCode())
	}
	return nil
}
