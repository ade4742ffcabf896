package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/calendar"
	"github.com/capstan-run/capstan/core/spec"
)

func (a *app) scheduleCommand() *cobra.Command {
	return family(&cobra.Command{
		Use: "schedule", Short: "Run jobs again and again: by the clock, or after one another",
		Long: `A schedule is a document of kind Schedule with a job in it. Each firing is a job
of its own, named for its time: NAME-UNIXSECONDS, or NAME-rROUND after others.

  capstan init Schedule > nightly.yaml
  capstan schedule put nightly.yaml`,
	}, a.schedulePutCommand(), a.scheduleListCommand(), a.scheduleShowCommand(), a.scheduleNextCommand(),
		a.scheduleRunCommand(), a.schedulePauseCommand(), a.scheduleResumeCommand(), a.scheduleDeleteCommand())
}

// completeSchedules offers the names of schedules to the shell.
func (a *app) completeSchedules(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, _, err := a.host(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer c.Close()
	r, err := ask(ctx, c.RPC().ListSchedules, &apipb.ListSchedulesRequest{})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, s := range r.Schedules {
		var v calendar.View
		if api.FromStruct(s, &v) == nil {
			out = append(out, v.Name+"\t"+v.When)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) schedulePutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "put FILE", Short: "Bring a schedule, or another one of its name", Args: takes(1, 1),
		Long: `Brings the schedule in the document FILE (- for standard input). One of that name is
replaced at once: what it had still to fire is gone, what runs goes on.`,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			doc, source, dir, err := a.document(args[0])
			if err != nil {
				return err
			}
			kinds, err := s.Kinds(ctx)
			if err != nil {
				return err
			}
			if _, err := a.readSchedule(doc, source, kinds); err != nil {
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
			r, err := ask(ctx, s.RPC().PutSchedule, &apipb.PutScheduleRequest{Spec: doc, Source: source})
			if err != nil {
				return err
			}
			for _, w := range r.Warnings {
				var d core.Diagnostic
				if api.FromStruct(w, &d) == nil {
					a.hint("%s %s", a.colour(yellow, "warning:"), d)
				}
			}
			if s.info.Occasional {
				a.hint("%s this host ends with its last job, and fires no schedule: `%s`", a.colour(yellow, "warning:"), a.again("up"))
			}
			return a.printSchedule(r)
		}),
	}
}

// printSchedule answers with one schedule: its name, and for people when it is
// due next.
func (a *app) printSchedule(r *apipb.ScheduleResponse) error {
	var v calendar.View
	if err := api.FromStruct(r.Schedule, &v); err != nil {
		return err
	}
	if a.output == "table" {
		switch {
		case v.State == "paused":
			a.hint("%s is paused; `%s`", v.Name, a.again("schedule resume "+v.Name))
		case !v.Next.IsZero():
			a.hint("%s is due at %s", v.Name, clockOf(&v, v.Next))
		case len(v.Spec.After) > 0:
			a.hint("%s is due %s", v.Name, v.When)
		default:
			a.hint("%s is %s", v.Name, v.State)
		}
	}
	return a.print(v, []string{v.Name}, func(w io.Writer) { fmt.Fprintln(w, v.Name) })
}

// clockOf shows a time as the clock of the schedule does.
func clockOf(v *calendar.View, t time.Time) string {
	if zone, err := time.LoadLocation(v.Spec.Timezone); err == nil {
		t = t.In(zone)
	}
	return t.Format("2006-01-02 15:04:05 MST")
}

func (a *app) scheduleListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List schedules", Args: takes(0, 0),
		RunE: a.onHost(func(ctx context.Context, s *session, _ []string) error {
			r, err := ask(ctx, s.RPC().ListSchedules, &apipb.ListSchedulesRequest{})
			if err != nil {
				return err
			}
			list, names, err := fromStructs[calendar.View](r.Schedules, func(v calendar.View) string { return v.Name })
			if err != nil {
				return err
			}
			if len(list) == 0 {
				a.hint("no schedules; `capstan init Schedule` writes a first one")
			}
			return a.print(list, names, func(w io.Writer) {
				if len(list) == 0 {
					return
				}
				fmt.Fprintln(w, "NAME\tSTATE\tWHEN\tNEXT\tRUNNING\tLAST")
				for _, v := range list {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", v.Name, v.State, clean(v.When), nextOf(&v), len(v.Running)+len(v.Waiting), lastOf(&v))
				}
			})
		}),
	}
}

func nextOf(v *calendar.View) string {
	switch {
	case !v.Next.IsZero():
		return clockOf(v, v.Next)
	case len(v.Arrived) > 0:
		return fmt.Sprintf("%d of %d parents", len(v.Arrived), len(v.Spec.After))
	}
	return "-"
}

func lastOf(v *calendar.View) string {
	if len(v.Past) == 0 {
		return "-"
	}
	return string(v.Past[0].State) + " " + ago(v.Past[0].At)
}

func (a *app) scheduleShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show one schedule and what became of its firings", Args: takes(1, 1), ValidArgsFunction: a.completeSchedules,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			r, err := ask(ctx, s.RPC().GetSchedule, &apipb.ScheduleRequest{Name: args[0]})
			if err != nil {
				return err
			}
			var v calendar.View
			if err := api.FromStruct(r.Schedule, &v); err != nil {
				return err
			}
			return a.print(v, []string{v.Name}, func(w io.Writer) { scheduleTable(w, &v) })
		}),
	}
}

func scheduleTable(w io.Writer, v *calendar.View) {
	row := func(k, text string) {
		if text != "" {
			fmt.Fprintf(w, "%s\t%s\n", k, clean(text))
		}
	}
	s := &v.Spec
	row("name", v.Name)
	row("when", v.When)
	row("state", strings.TrimSuffix(v.State+": "+v.Why, ": "))
	if !v.Next.IsZero() {
		row("next", clockOf(v, v.Next))
	}
	if !s.Start.IsZero() {
		row("from", clockOf(v, s.Start))
	}
	if !s.End.IsZero() {
		row("until", clockOf(v, s.End))
	}
	row("overlap", s.Overlap)
	row("catch up", s.CatchUp)
	if s.Timeout > 0 {
		row("timeout", s.Timeout.String())
	}
	if s.Retry.Times > 0 {
		row("retry", fmt.Sprintf("%s, each after %s", several(int64(s.Retry.Times), "time"), s.Retry.Wait))
	}
	row("arrived", strings.Join(v.Arrived, ", "))
	for _, g := range v.Running {
		text := string(g.Job)
		switch {
		case !g.Again.IsZero():
			text += ", failed; tries again at " + clockOf(v, g.Again)
		case g.Ending != "":
			text += ", being cancelled: " + g.Ending
		default:
			text += ", since " + clockOf(v, g.Since)
		}
		row("running", text)
	}
	row("waiting", strings.Join(v.Waiting, ", "))
	for _, p := range v.Past {
		text := fmt.Sprintf("%s %s", cmp.Or(string(p.Job), p.Firing), p.State)
		if p.Why != "" {
			text += ": " + strings.SplitN(p.Why, "\n", 2)[0]
		}
		row(ago(p.At), text)
	}
}

func (a *app) scheduleNextCommand() *cobra.Command {
	var n int
	c := &cobra.Command{
		Use: "next NAME", Short: "Tell a schedule's next times", Args: takes(1, 1), ValidArgsFunction: a.completeSchedules,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			if n < 1 || n > 1000 {
				return core.Errorf(core.Invalid, "-n %d is none of 1 to 1000", n)
			}
			r, err := ask(ctx, s.RPC().GetSchedule, &apipb.ScheduleRequest{Name: args[0], Upcoming: int32(n)})
			if err != nil {
				return err
			}
			var v calendar.View
			if err := api.FromStruct(r.Schedule, &v); err != nil {
				return err
			}
			times, names := []time.Time{}, []string{}
			for _, t := range r.Upcoming {
				times = append(times, t.AsTime())
				names = append(names, t.AsTime().Format(time.RFC3339))
			}
			switch {
			case len(v.Spec.After) > 0:
				a.hint("%s has no times of its own: it is due %s", v.Name, v.When)
			case len(times) == 0:
				a.hint("%s is not due any more", v.Name)
			case v.State == "paused":
				a.hint("%s is paused, and fires at none of these until it is resumed", v.Name)
			}
			return a.print(times, names, func(w io.Writer) {
				for _, t := range times {
					fmt.Fprintf(w, "%s\tin %s\n", clockOf(&v, t), span(time.Until(t)))
				}
			})
		}),
	}
	c.Flags().IntVarP(&n, "number", "n", 10, "so many")
	return c
}

func (a *app) scheduleRunCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run NAME", Short: "Fire a schedule once, now, and print the id of its job", Args: takes(1, 1), ValidArgsFunction: a.completeSchedules,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			r, err := ask(ctx, s.RPC().RunSchedule, &apipb.ScheduleRequest{Name: args[0]})
			if err != nil {
				return err
			}
			var v calendar.View
			if api.FromStruct(r.Schedule, &v) == nil && len(v.Waiting) > 0 && v.Waiting[len(v.Waiting)-1] == r.Firing {
				a.hint("it waits for the firing that runs")
			}
			return a.printID(core.JobID(r.Firing))
		}),
	}
}

func (a *app) schedulePauseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "pause NAME", Short: "Let a schedule fire nothing until it is resumed", Args: takes(1, 1), ValidArgsFunction: a.completeSchedules,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			r, err := ask(ctx, s.RPC().PauseSchedule, &apipb.ScheduleRequest{Name: args[0]})
			if err != nil {
				return err
			}
			return a.printSchedule(r)
		}),
	}
}

func (a *app) scheduleResumeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "resume NAME", Short: "End a pause; what passed meanwhile fires as catchUp says", Args: takes(1, 1), ValidArgsFunction: a.completeSchedules,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			r, err := ask(ctx, s.RPC().ResumeSchedule, &apipb.ScheduleRequest{Name: args[0]})
			if err != nil {
				return err
			}
			return a.printSchedule(r)
		}),
	}
}

func (a *app) scheduleDeleteCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: "delete NAME", Short: "Take a schedule away; what runs goes on", Args: takes(1, 1), ValidArgsFunction: a.completeSchedules,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			if _, err := ask(ctx, s.RPC().DeleteSchedule, &apipb.DeleteScheduleRequest{Name: args[0], Force: force}); err != nil {
				return err
			}
			return a.item(map[string]any{"name": args[0]}, args[0], args[0])
		}),
	}
	c.Flags().BoolVar(&force, "force", false, "also if others come after it: they lose the edge")
	return c
}
