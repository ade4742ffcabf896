package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/spec"
)

func (a *app) deployCommand() *cobra.Command {
	var id string
	var detach bool
	var timeout time.Duration
	c := &cobra.Command{
		Use: "deploy SPEC", Short: "Start a long-running job, or bring it up to date", Args: takes(1, 1),
		Long: `Starts the document SPEC, or gives the running job of its kind and name the new
version, and follows until every copy has it. If the new version fails, the
service goes back to the one before, and deploy exits 1.
Ctrl-C detaches: the rollout goes on.`,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			doc, source, dir, err := a.document(args[0])
			if err != nil {
				return err
			}
			jobID, r, err := a.deploy(ctx, s.Client, doc, source, dir, id)
			if err != nil || detach {
				return errors.Join(err, a.printDeployed(jobID, r, detach && err == nil))
			}
			return a.followRollout(ctx, s.Client, jobID, r.Version, timeout)
		}),
	}
	f := c.Flags()
	f.StringVar(&id, "id", "", "id of the job; default its name")
	f.BoolVar(&detach, "detach", false, "return at once")
	f.DurationVar(&timeout, "timeout", 0, "wait at most so long; 0: until it is decided")
	return c
}

// rolled is what a running job answers to a command about its versions.
type rolled struct {
	Version int  `json:"version"`
	Size    int  `json:"size"`
	Changed bool `json:"changed"`
}

func (a *app) printDeployed(id core.JobID, r rolled, show bool) error {
	if !show {
		return nil
	}
	return a.item(map[string]any{"id": id, "version": r.Version, "changed": r.Changed}, string(id), string(id))
}

// deploy updates the running job of the document's kind and name, or submits it.
func (a *app) deploy(ctx context.Context, c *api.Client, doc []byte, source, dir, id string) (core.JobID, rolled, error) {
	kinds, err := c.Kinds(ctx)
	if err != nil {
		return "", rolled{}, err
	}
	s, err := spec.ParseChecked(doc, source, kinds, a.Check)
	if err != nil {
		return "", rolled{}, err
	}
	lasting := func(d core.Description) bool { return d.Kind == s.Kind && slices.Contains(d.Commands, core.VerbDeploy) }
	if !slices.ContainsFunc(kinds, lasting) {
		return "", rolled{}, core.Errorf(core.Invalid, "a %s job ends by itself", s.Kind).At(source).Do("use `" + a.again("run "+source) + "`")
	}
	running, taken, err := a.findDeployed(ctx, c, s, id)
	if err != nil {
		return "", rolled{}, err
	}
	if running != "" {
		if doc, err = a.withShipped(ctx, c, doc, source, dir); err != nil {
			return "", rolled{}, err
		}
		r, err := a.commanded(c.Update(ctx, string(running), doc, source))
		return running, r, err
	}
	if id == "" && !taken {
		id = s.Metadata.Name
	}
	running, err = a.submit(ctx, c, doc, source, dir, id)
	return running, rolled{Version: 1, Changed: true}, err
}

// findDeployed finds the running job of a document, and says whether its name is
// the id of another.
func (a *app) findDeployed(ctx context.Context, c *api.Client, s *core.Spec, id string) (running core.JobID, taken bool, err error) {
	jobs, err := c.List(ctx, 0, "")
	if err != nil {
		return "", false, err
	}
	for _, j := range jobs {
		taken = taken || string(j.ID) == s.Metadata.Name
		mine := j.Spec.Kind == s.Kind && j.Spec.Metadata.Name == s.Metadata.Name
		if id != "" {
			mine = string(j.ID) == id
		}
		if mine && !j.State.Final() && running == "" {
			running = j.ID
		}
	}
	return running, taken, nil
}

// commanded reads what a job answered.
func (a *app) commanded(result []byte, err error) (rolled, error) {
	var r rolled
	if err == nil {
		err = json.Unmarshal(result, &r)
	}
	return r, err
}

// followRollout shows a job until a version of it is good or given up.
func (a *app) followRollout(ctx context.Context, c *api.Client, id core.JobID, version int, timeout time.Duration) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	decided := errors.New("decided")
	var state, note string
	_, err := a.followUntil(ctx, c, id, func(j *core.Job) error {
		if state, note = versionState(j, version); state == "" || state == "rolling out" {
			return nil
		}
		return decided
	})
	switch {
	case errors.Is(err, errDetached):
		a.hint("the rollout of job %s goes on; see %s", id, a.again("status "+string(id)))
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return core.Errorf(core.TimedOut, "version %d of job %s is not decided within %s", version, id, timeout).Do("see `" + a.again("status "+string(id)) + "`")
	case errors.Is(err, decided) && state == "good":
		a.hint("%s version %d of job %s: all copies are ready", a.colour(green, "✓"), version, id)
		return a.printDeployed(id, rolled{Version: version, Changed: true}, true)
	case errors.Is(err, decided):
		return core.Errorf(core.Failed, "version %d of job %s %s: %s", version, id, state, note).
			Do("see `" + a.again("logs "+string(id)) + "` and `" + a.again("service history "+string(id)) + "`")
	case err == nil:
		return core.Errorf(core.Failed, "job %s ended before its version %d was decided", id, version).Do("see `" + a.again("status "+string(id)) + "`")
	}
	return err
}

// versionState reads the table of versions that a job shows.
func versionState(j *core.Job, version int) (state, note string) {
	t := tableOf(j, "versions")
	for _, row := range t.Rows {
		if len(row) == 5 && row[0] == strconv.Itoa(version) {
			return row[1], row[4]
		}
	}
	return "", ""
}

func tableOf(j *core.Job, title string) core.Table {
	for _, t := range j.Progress.Tables {
		if t.Title == title {
			return t
		}
	}
	return core.Table{}
}

func (a *app) scaleCommand() *cobra.Command {
	return &cobra.Command{
		Use: "scale JOB N", Short: "Set the number of copies of a service", Args: takes(2, 2), ValidArgsFunction: a.completeJobs,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			n, err := strconv.Atoi(args[1])
			if err != nil || n < 0 {
				return core.Errorf(core.Invalid, "%q is no number of copies", args[1])
			}
			return a.command(ctx, s, args[0], "scale", map[string]int{"size": n})
		}),
	}
}

// command asks something of a job and prints its id.
func (a *app) command(ctx context.Context, s *session, ref, verb string, args any) error {
	id, result, err := s.Command(ctx, ref, verb, args)
	if err != nil {
		return err
	}
	r, err := a.commanded(result, nil)
	if err != nil {
		return err
	}
	if !r.Changed {
		a.hint("job %s is so already", id)
	}
	return a.item(map[string]any{"id": id, "version": r.Version, "size": r.Size, "changed": r.Changed}, string(id), string(id))
}

func (a *app) serviceCommand() *cobra.Command {
	c := &cobra.Command{Use: "service", Short: "Versions and rollouts of a service"}
	simple := func(verb, short string) *cobra.Command {
		return &cobra.Command{Use: verb + " JOB", Short: short, Args: takes(1, 1), ValidArgsFunction: a.completeJobs,
			RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
				return a.command(ctx, s, args[0], verb, nil)
			})}
	}
	return family(c, a.historyCommand(), a.rollbackCommand(),
		simple("pause", "Leave a rollout as it is"), simple("resume", "Go on with a paused rollout"))
}

func (a *app) historyCommand() *cobra.Command {
	return &cobra.Command{Use: "history JOB", Short: "Show the last versions, newest first", Args: takes(1, 1), ValidArgsFunction: a.completeJobs,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			j, err := s.Get(ctx, args[0])
			if err != nil {
				return err
			}
			t := tableOf(j, "versions")
			if len(t.Columns) == 0 {
				return core.Errorf(core.NotFound, "job %s, which is %s, shows no versions", j.ID, j.State)
			}
			var names []string
			for _, row := range t.Rows {
				names = append(names, row[0])
			}
			return a.print(t, names, func(w io.Writer) { rows(w, t) })
		})}
}

// rows writes a table in columns.
func rows(w io.Writer, t core.Table) {
	for _, row := range append([][]string{t.Columns}, t.Rows...) {
		for i, cell := range row {
			end := "\t"
			if i == len(row)-1 {
				end = "\n"
			}
			fmt.Fprint(w, clean(cell), end)
		}
	}
}

func (a *app) rollbackCommand() *cobra.Command {
	var to int
	var detach bool
	c := &cobra.Command{Use: "rollback JOB", Short: "Go back to a version", Args: takes(1, 1), ValidArgsFunction: a.completeJobs,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			id, result, err := s.Command(ctx, args[0], "rollback", map[string]int{"to": to})
			r, err := a.commanded(result, err)
			if err != nil {
				return err
			}
			if detach || !r.Changed {
				return a.printDeployed(id, r, true)
			}
			return a.followRollout(ctx, s.Client, id, r.Version, 0)
		})}
	c.Flags().IntVar(&to, "to", 0, "number of the version; default the good one before")
	c.Flags().BoolVar(&detach, "detach", false, "return at once")
	return c
}
