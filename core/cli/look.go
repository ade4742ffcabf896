package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/api/clusterpb"
)

// completeJobs offers job ids to the shell.
func (a *app) completeJobs(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, _, err := a.host(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer c.Close()
	jobs, _ := c.List(ctx, 50, "")
	out := []string{"@latest\tthe newest job"}
	for _, j := range jobs {
		out = append(out, fmt.Sprintf("%s\t%s, %s", j.ID, j.State, ago(j.Submitted)))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// states are those a job can be in.
var states = []string{string(core.Queued), string(core.Starting), string(core.Running), string(core.Succeeded),
	string(core.FailedJob), string(core.Canceled), string(core.Expired)}

func (a *app) listCommand() *cobra.Command {
	var limit int
	var state string
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls", "jobs"}, Short: "List jobs, newest first", Args: takes(0, 0),
		RunE: a.onHost(func(ctx context.Context, s *session, _ []string) error {
			if state != "" {
				if err := oneOf("job state", state, states...); err != nil {
					return err
				}
			}
			jobs, err := s.List(ctx, limit, state)
			if err != nil {
				return err
			}
			names := make([]string, len(jobs))
			for i, j := range jobs {
				names[i] = string(j.ID)
			}
			if len(jobs) == 0 {
				a.hint("no jobs; `capstan run SPEC` runs one")
			}
			return a.print(jobs, names, func(w io.Writer) {
				if len(jobs) == 0 {
					return
				}
				fmt.Fprintln(w, "ID\tKIND\tSTATE\tGANG\tSUBMITTED\tTOOK\tPROGRESS")
				for _, j := range jobs {
					fmt.Fprintf(w, "%s\t%s\t%s\t%d x %s\t%s\t%s\t%s\n", j.ID, j.Spec.Kind, j.State, j.Spec.Gang.Size, j.Spec.Gang.CPU,
						ago(j.Submitted), took(j), standing(&j))
				}
			})
		}),
	}
	c.Flags().IntVar(&limit, "limit", 50, "at most so many")
	c.Flags().StringVar(&state, "job-state", "", "only jobs in this state: "+strings.Join(states, ", "))
	choose(c, "job-state", states...)
	return c
}

// standing is how far a job came, or why it failed, on one line.
func standing(j *core.Job) string {
	text := summary(j)
	if j.Outcome != nil && j.Outcome.Kind != "" {
		text = clean(strings.SplitN(j.Outcome.What, "\n", 2)[0])
	}
	if held := heldBy(j); text == "" && len(held) > 0 {
		text = "waits for " + strings.Join(held, ", ")
	}
	if text == "" {
		return "-" // a line has no blanks at its end
	}
	return fit(text, 81)
}

func took(j core.Job) string {
	switch {
	case j.Started.IsZero():
		return "-"
	case j.Ended.IsZero():
		return span(time.Since(j.Started))
	}
	return span(j.Ended.Sub(j.Started))
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status JOB", Short: "Show one job", Args: takes(1, 1), ValidArgsFunction: a.completeJobs,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			j, err := s.Get(ctx, args[0])
			if err != nil {
				return err
			}
			err = a.print(j, []string{string(j.ID)}, func(w io.Writer) { statusTable(w, j) })
			if err != nil || a.output != "table" {
				return err
			}
			a.hintNamesake(ctx, s, j)
			for _, t := range j.Progress.Tables {
				t.Title = ""
				fmt.Fprintln(a.out)
				if err := a.print(t, nil, func(w io.Writer) { rows(w, t) }); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}

// hintNamesake names the job that goes by the name of one that has ended: who types
// the name means that one.
func (a *app) hintNamesake(ctx context.Context, s *session, j *core.Job) {
	if !j.State.Final() || string(j.ID) != j.Spec.Metadata.Name {
		return
	}
	jobs, err := s.List(ctx, 0, "")
	if err != nil {
		return
	}
	for _, o := range jobs {
		if o.Spec.Kind == j.Spec.Kind && o.Spec.Metadata.Name == j.Spec.Metadata.Name && !o.State.Final() {
			a.hint("%s %s has ended; the %s of that name is now %s, which is %s", a.colour(yellow, "note:"), j.ID, j.Spec.Kind, o.ID, o.State)
			return
		}
	}
}

func statusTable(w io.Writer, j *core.Job) {
	row := func(k, v string) {
		if v != "" {
			fmt.Fprintf(w, "%s\t%s\n", k, clean(v))
		}
	}
	row("id", string(j.ID))
	row("kind", j.Spec.Kind)
	row("state", string(j.State))
	row("gang", fmt.Sprintf("%s of %s cpu, %s memory", executors(j), j.Spec.Gang.CPU, j.Spec.Gang.Memory))
	row("queue", fmt.Sprintf("%s, priority %d", cmp.Or(j.Queue, j.Spec.Metadata.Queue), j.Spec.Metadata.Priority))
	for _, text := range heldBy(j) {
		row("waits for", text)
	}
	row("submitted", ago(j.Submitted))
	row("took", took(*j))
	if j.Epoch > 1 {
		row("attempt", fmt.Sprint(j.Epoch))
	}
	for _, s := range j.Progress.Stages {
		if len(j.Progress.Tables) > 0 && s.BytesTotal == 0 {
			row(s.Name, fmt.Sprintf("%d of %s%d", s.Done, atMost(s.AtMost), s.Tasks))
			continue
		}
		row(s.Name, stageRow(s))
	}
	if !j.State.Final() {
		row("note", j.Progress.Note)
	}
	for _, name := range slices.Sorted(maps.Keys(j.Progress.Counters)) {
		row("counter", name+"  "+count(j.Progress.Counters[name]))
	}
	if o := j.Outcome; o != nil {
		row("result", o.Report.Output)
		row("error", o.What)
		row("at", o.Where)
		row("fix", o.Remedy)
		for _, n := range o.Report.Notes {
			row("note", n)
		}
	}
}

// executors is what a job's gang has, where that is not what was asked for.
func executors(j *core.Job) string {
	asked := several(int64(j.Spec.Gang.Size), "executor")
	switch {
	case j.Executors == 0 || j.Executors == j.Spec.Gang.Size:
		return asked
	case j.Executors < j.Spec.Gang.Size:
		return fmt.Sprintf("%d of %s", j.Executors, asked)
	}
	return several(int64(j.Executors), "executor")
}

// stageRow is how far a stage is; of "elements" and "tasks" its name says what is
// counted.
func stageRow(s core.Stage) string {
	what := atMost(s.AtMost) + several(int64(s.Tasks), "task")
	if s.Name == "elements" || s.Name == "tasks" {
		what = fmt.Sprint(s.Tasks)
	}
	text := fmt.Sprintf("%d of %s done, %d running, %s", s.Done, what, s.Running, failures(s))
	if s.BytesTotal > 0 {
		text += fmt.Sprintf(", %s of %s", size(s.BytesDone), size(s.BytesTotal))
	}
	return text
}

func (a *app) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "why JOB", Short: "Say why a job waits, or why it failed", Args: takes(1, 1), ValidArgsFunction: a.completeJobs,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			r, err := ask(ctx, s.RPC().Why, &apipb.JobRequest{Id: args[0]})
			if err != nil {
				return err
			}
			v := map[string]any{"text": r.Text, "blockers": append([]string{}, r.Blockers...), "remedy": r.Remedy}
			if x, err := ask(ctx, s.Cluster().Explain, &clusterpb.ExplainRequest{Id: args[0]}); err == nil && len(x.Explanations) > 0 {
				v["gangs"] = x.Explanations // each with who is ahead and why, the estimate and the promise
			}
			return a.print(v, r.Blockers, func(w io.Writer) { fmt.Fprintln(w, cleanLines(r.Text)) })
		}),
	}
}

func (a *app) eventsCommand() *cobra.Command {
	var follow bool
	c := &cobra.Command{
		Use: "events JOB", Short: "Show what happened to a job", Args: takes(1, 1), ValidArgsFunction: a.completeJobs,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			enough := errors.New("enough")
			err := s.Watch(ctx, args[0], 0, func(_ *core.Job, e *apipb.JobEvent) error {
				if e == nil && !follow {
					return enough // the first document comes after all events so far
				}
				if e == nil {
					return nil
				}
				return a.item(map[string]any{"seq": e.Seq, "time": e.Time.AsTime(), "kind": e.Kind, "text": e.Text}, e.Kind,
					fmt.Sprintf("%s  %-18s %s", e.Time.AsTime().Local().Format("2006-01-02 15:04:05.000"), e.Kind, clean(e.Text)))
			})
			if errors.Is(err, enough) {
				return nil
			}
			return err
		}),
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the job ends")
	return c
}

func (a *app) logsCommand() *cobra.Command {
	r := &apipb.LogsRequest{}
	var rank int32
	c := &cobra.Command{
		Use: "logs JOB", Short: "Show a job's log", Args: takes(1, 1), ValidArgsFunction: a.completeJobs,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
			defer stop()
			r.Id, r.Rank = args[0], rank
			if r.Tail < 0 || rank < -1 || r.Epoch < 0 {
				return core.Errorf(core.Invalid, "a rank, an attempt or a number of lines is negative").Do("`capstan logs --help` says what they mean")
			}
			return a.logs(ctx, s.Client, r)
		}),
	}
	f := c.Flags()
	f.BoolVarP(&r.Follow, "follow", "f", false, "go on until the job ends")
	f.Int32Var(&rank, "rank", -1, "only this rank; -1 for all and the coordinator")
	f.Int64Var(&r.Tail, "tail", 0, "only the last so many lines")
	f.StringVar(&r.Grep, "grep", "", "only lines that contain this")
	f.Int64Var(&r.Epoch, "attempt", 0, "of this attempt; default the last")
	return c
}

// logs prints the log.
func (a *app) logs(ctx context.Context, client *api.Client, r *apipb.LogsRequest) error {
	return a.eachLogLine(ctx, client, r, a.logLine)
}

// eachLogLine reads the log, and goes on where it was when the connection breaks.
func (a *app) eachLogLine(ctx context.Context, client *api.Client, r *apipb.LogsRequest, each func(*apipb.LogLine) error) error {
	shown, tries := 0, 0
	for {
		s, err := client.RPC().Logs(ctx, connect.NewRequest(r))
		if err != nil {
			return api.FromConnect(err)
		}
		skip := shown
		for s.Receive() {
			if skip > 0 {
				skip--
				continue
			}
			shown++
			tries = 0
			if err := each(s.Msg()); err != nil {
				s.Close()
				return err
			}
		}
		err = api.FromConnect(s.Err())
		s.Close()
		if ctx.Err() != nil || err == nil {
			return nil
		}
		if core.KindOf(err) != core.HostLost || tries == 100 {
			return err
		}
		if r.Tail > 0 {
			r.Tail, shown = 0, 0 // a tail cannot be resumed by count
		}
		tries++
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *app) logLine(l *apipb.LogLine) error {
	who := "coord"
	if l.Rank >= 0 {
		who = fmt.Sprintf("%5d", l.Rank)
	}
	return a.item(map[string]any{"time": l.Time.AsTime(), "rank": l.Rank, "attempt": l.Epoch, "text": l.Text}, clean(l.Text),
		fmt.Sprintf("%s %s  %s", l.Time.AsTime().Local().Format("15:04:05.000"), who, clean(l.Text)))
}
