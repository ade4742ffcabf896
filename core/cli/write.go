package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/calendar"
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

// kindsOfPlugins are kinds, and those of the plugins where no host runs yet that
// could have told of them: one is started for the occasion.
func (a *app) kindsOfPlugins(ctx context.Context) []core.Description {
	list := a.kinds(ctx)
	if entries, err := os.ReadDir(filepath.Join(a.state, "plugins")); err != nil || len(entries) == 0 {
		return list
	}
	err := a.anyHost(ctx, func(ctx context.Context, s *session) (err error) {
		list, err = s.Kinds(ctx)
		return err
	})
	if err != nil {
		return a.Kinds
	}
	return list
}

func (a *app) kind(ctx context.Context, name string) (*core.Description, error) {
	named := func(k core.Description) bool { return strings.EqualFold(k.Kind, name) }
	list := []core.Description{calendar.Describe()}
	if !named(list[0]) {
		list = a.kinds(ctx)
	}
	if !slices.ContainsFunc(list, named) {
		list = a.kindsOfPlugins(ctx)
	}
	var names []string
	for _, k := range list {
		if named(k) {
			return &k, nil
		}
		names = append(names, k.Kind)
	}
	return nil, core.Errorf(core.NotFound, "no framework serves kind %q", name).Do("there are: " + strings.Join(append(names, calendar.Kind), ", "))
}

func (a *app) completeKinds(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, k := range append(slices.Clone(a.Kinds), calendar.Describe()) {
		out = append(out, k.Kind+"\t"+k.Summary)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init KIND", Short: "Write a first document of a kind to standard output", Args: takes(1, 1), ValidArgsFunction: a.completeKinds,
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := a.kind(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if k.Example == "" {
				return core.Errorf(core.NotFound, "kind %s brings no example", k.Kind).Do("`capstan schema " + k.Kind + "` shows what its documents hold")
			}
			return a.printExample(k)
		},
	}
}

// printExample writes a kind's example: as it is, with its comments, unless
// JSON or another form is asked for.
func (a *app) printExample(k *core.Description) error {
	if a.output == "table" || a.output == "yaml" {
		_, err := fmt.Fprintln(a.out, strings.TrimRight(k.Example, "\n"))
		return err
	}
	var v any
	if err := yaml.Unmarshal([]byte(k.Example), &v); err != nil {
		return core.Errorf(core.Internal, "the example of kind %s: %v", k.Kind, err)
	}
	return a.print(v, []string{k.Kind}, nil)
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema KIND", Short: "Print the JSON Schema of a kind's documents, for editors", Args: takes(1, 1), ValidArgsFunction: a.completeKinds,
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := a.kind(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			s, err := spec.Schema(k)
			if err != nil {
				return err
			}
			if a.output == "table" || a.output == "json" {
				_, err = a.out.Write(s)
				return err
			}
			return a.print(s, []string{k.Kind}, nil)
		},
	}
}

func (a *app) validateCommand() *cobra.Command {
	return a.takesScript(&cobra.Command{
		Use: "validate SPEC", Short: "Check a document, without a host", Args: takes(1, 1),
		Long: `Checks the document SPEC (- for standard input). Of a script with #SBATCH or #PBS
lines it prints the document that is made of it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			doc, source, dir, err := a.submitted(args)
			if err != nil {
				return err
			}
			kinds := a.kinds(cmd.Context())
			s, err := a.read(doc, source, kinds)
			if unknownKind(err) {
				kinds = a.kindsOfPlugins(cmd.Context())
				s, err = a.read(doc, source, kinds)
			}
			if err != nil {
				return err
			}
			if _, err := spec.Ships(doc, kinds, dir); err != nil {
				return err
			}
			if a.output != "table" {
				return a.print(s, []string{s.Metadata.Name}, nil)
			}
			if a.script.made != nil {
				if err := a.showMade(); err != nil {
					return err
				}
			}
			noun := " job"
			if s.Kind == calendar.Kind {
				noun = ""
			}
			a.hint("%s is a valid %s%s", source, s.Kind, noun)
			return nil
		},
	})
}

// read parses and checks a document, of a job or of a schedule.
func (a *app) read(doc []byte, source string, kinds []core.Description) (*core.Spec, error) {
	if spec.IsSchedule(doc) {
		return a.readSchedule(doc, source, kinds)
	}
	return spec.ParseChecked(doc, source, kinds, a.Check)
}

// readSchedule is read of a schedule and the job in it. Whether its parents are
// there is the host's to say.
func (a *app) readSchedule(doc []byte, source string, kinds []core.Description) (*core.Spec, error) {
	own := func(s *core.Spec) []core.Diagnostic { return calendar.CheckSpec(s, time.LoadLocation) }
	var jobs spec.Checker
	if a.Check != nil {
		jobs = func(s *core.Spec) []core.Diagnostic {
			// As of a firing now: what stands for its time is none of the job's words.
			s.Body = calendar.Stamp(s.Body, s.Metadata.Name+"-0", time.Now())
			return a.Check(s)
		}
	}
	s, _, err := spec.ParseSchedule(doc, source, calendar.Describe(), kinds, own, jobs)
	return s, err
}

// precheck finds the faults of a built-in kind's document before a host is
// started for it. Other kinds are the host's to judge.
func (a *app) precheck(doc []byte, source string) error {
	_, err := spec.ParseChecked(doc, source, a.Kinds, a.Check)
	if unknownKind(err) && !spec.IsSchedule(doc) {
		return nil
	}
	return err
}

// unknownKind says whether a document was refused for its kind.
func unknownKind(err error) bool {
	var e *core.Error
	return errors.As(err, &e) && slices.ContainsFunc(e.Diagnostics, func(d core.Diagnostic) bool { return d.Path == "kind" || d.Path == "spec.job.kind" })
}

func (a *app) planCommand() *cobra.Command {
	return a.takesScript(&cobra.Command{
		Use: "plan SPEC", Short: "Say what a job would do and where it would run, without running it", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			doc, source, dir, err := a.submitted(args)
			if err != nil {
				return err
			}
			return a.anyHost(ctx, func(ctx context.Context, s *session) error {
				if doc, err = a.withShipped(ctx, s.Client, doc, source, dir); err != nil {
					return err
				}
				r, err := ask(ctx, s.RPC().Plan, &apipb.SubmitRequest{Spec: doc, Source: source})
				if err != nil {
					return err
				}
				return a.printPlan(r)
			})
		},
	})
}

func (a *app) printPlan(r *apipb.PlanResponse) error {
	var p core.Plan
	if err := api.FromStruct(r.Plan, &p); err != nil {
		return err
	}
	if a.output != "table" {
		v := map[string]any{"plan": p, "placement": r.Placement, "placeableNow": r.PlaceableNow, "placeableEver": r.PlaceableEver}
		var names []string
		for _, g := range p.Gangs {
			names = append(names, g.Name)
		}
		if err := a.print(v, names, nil); err != nil {
			return err
		}
	} else {
		if a.script.made != nil {
			if err := a.showMade(); err != nil {
				return err
			}
			fmt.Fprintln(a.out, "---")
		}
		for _, g := range p.Gangs {
			fmt.Fprintf(a.out, "gang %s: %s of %s cpu, %s memory\n", g.Name, several(int64(g.Size), "executor"), g.CPU, g.Memory)
		}
		for _, s := range p.Stages {
			over := ""
			if s.Bytes > 0 {
				over = " over " + size(s.Bytes)
			}
			fmt.Fprintf(a.out, "stage %s: %s%s%s\n", s.Name, atMost(s.AtMost), several(int64(s.Tasks), "task"), over)
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
