package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
	"github.com/capstan-run/capstan/core/spec"
)

func (a *app) runCommand() *cobra.Command {
	var id string
	var detach, quiet bool
	c := &cobra.Command{
		Use: "run SPEC", Short: "Submit a job, follow it, and exit with its outcome", Args: takes(1, 1),
		Long: `Submits the document SPEC (- for standard input), follows the job to its end and
exits with its outcome. With no host running it starts one for the occasion.
Ctrl-C detaches: the job goes on.

SPEC may be a script with #SBATCH or #PBS lines: see ` + "`capstan submit --help`.",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			a.quiet = quiet
			if a.launcher != "" {
				if err := oneOf("launcher", a.launcher, launchers...); err != nil {
					return err
				}
			}
			doc, source, dir, err := a.submitted(args)
			if err != nil {
				return err
			}
			if err := a.precheck(doc, source); err != nil {
				return err
			}
			return a.anyHost(ctx, func(ctx context.Context, s *session) error {
				a.tellLauncher(s)
				jobID, err := a.submit(ctx, s.Client, doc, source, dir, id)
				if err != nil {
					return err
				}
				if detach {
					return a.printID(jobID)
				}
				job, err := a.follow(ctx, s.Client, jobID, quiet)
				if errors.Is(err, errDetached) {
					a.comeBack(jobID)
					return nil
				}
				if err != nil {
					return err
				}
				return a.report(s, job)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&id, "id", "", "id of the job; the same id with the same spec attaches to it")
	f.BoolVar(&detach, "detach", false, "print the id and return at once")
	f.BoolVarP(&quiet, "quiet", "q", false, "no progress, only the result")
	f.StringVar(&a.launcher, "launcher", "", "launcher of a host started for the occasion: auto, docker, process")
	choose(c, "launcher", launchers...)
	return a.takesScript(c)
}

func (a *app) submitCommand() *cobra.Command {
	var id string
	var quiet, parsable bool
	c := &cobra.Command{
		Use: "submit SPEC", Short: "Submit a job and print its id", Args: takes(1, 1),
		Long: `Submits the document SPEC (- for standard input) and prints the job's id.

SPEC may be a script. What it asks for stands in its #SBATCH or #PBS lines; the
flags of sbatch that are listed here override them, and what follows the script
are its arguments. -o with anything but a form of output is the script's file for
stdout, and quality of service is --qos. ` + "`capstan validate job.sh`" + ` shows the
document that is made of a script.`,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			doc, source, dir, err := a.submitted(args)
			if err != nil {
				return err
			}
			jobID, err := a.submit(ctx, s.Client, doc, source, dir, id)
			if err != nil {
				return err
			}
			if err := a.printID(jobID); err != nil {
				return err
			}
			if !quiet && !parsable && a.output == "table" {
				a.comeBack(jobID)
			}
			return nil
		}),
	}
	c.Flags().StringVar(&id, "id", "", "id of the job; the same id with the same spec attaches to it")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the id only")
	if a.Scripts != nil {
		c.Flags().BoolVar(&parsable, "parsable", false, "as --quiet, for those who know sbatch")
	}
	return a.takesScript(c)
}

// printID answers with a job's id.
func (a *app) printID(id core.JobID) error {
	return a.print(map[string]string{"id": string(id)}, []string{string(id)}, func(w io.Writer) { fmt.Fprintln(w, id) })
}

// comeBack tells how to find a job again.
func (a *app) comeBack(id core.JobID) {
	a.hint("job %s goes on; come back with", id)
	a.hint("  %s      follow it to its end", a.again("wait "+string(id)))
	a.hint("  %s   its log", a.again("logs -f "+string(id)))
	a.hint("  %s    end it", a.again("cancel "+string(id)))
}

// again is a command that can be typed as it is: the program as it was called,
// and the host of this call where that is not the usual one.
func (a *app) again(command string) string {
	program := "capstan"
	if strings.ContainsRune(os.Args[0], filepath.Separator) {
		program = os.Args[0]
	}
	command = program + " " + command
	switch {
	case a.address != "" && a.address != os.Getenv("CAPSTAN_HOST"):
		command += " --host " + a.address
	case a.address == "" && a.state != defaultState():
		command += " --state " + a.state
	}
	return command
}

// submitted is what a command's arguments name: a document, or the one that was
// made of a script.
func (a *app) submitted(args []string) (doc []byte, source, dir string, err error) {
	if a.script.wrap == "" {
		doc, source, dir, err = a.document(args[0])
	}
	if err == nil {
		doc, source, err = a.submission(doc, source)
	}
	return doc, source, dir, err
}

// document reads SPEC: its text, its name for messages, and the folder that
// relative names are taken from.
func (a *app) document(name string) (doc []byte, source, dir string, err error) {
	if name == "-" {
		doc, err = io.ReadAll(io.LimitReader(a.in, spec.MaxBytes+1))
		dir, _ = os.Getwd()
		return doc, "standard input", dir, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, "", "", core.Errorf(core.Invalid, "%v", err).Do("`capstan init KIND > job.yaml` writes a first job")
	}
	defer f.Close()
	doc, err = io.ReadAll(io.LimitReader(f, 8<<20))
	if err != nil {
		return nil, "", "", core.Errorf(core.Invalid, "%v", err).Do("SPEC is one YAML or JSON file, or - for standard input")
	}
	abs, err := filepath.Abs(name)
	return doc, name, filepath.Dir(abs), err
}

// submit uploads what the document ships and submits it.
func (a *app) submit(ctx context.Context, c *api.Client, doc []byte, source, dir, id string) (core.JobID, error) {
	doc, err := a.withShipped(ctx, c, doc, source, dir)
	if err != nil {
		return "", err
	}
	jobID, attached, warnings, err := c.Submit(ctx, doc, id, source)
	if err != nil {
		return "", err
	}
	for _, w := range warnings {
		a.hint("%s %s", a.colour(yellow, "warning:"), w)
	}
	if attached {
		a.hint("job %s exists with this spec: attached to it", jobID)
	}
	return jobID, nil
}

// withShipped uploads what the document ships and answers the document that
// names it as uploaded.
func (a *app) withShipped(ctx context.Context, c *api.Client, doc []byte, source, dir string) ([]byte, error) {
	if len(doc) > 3<<20 {
		_, err := spec.Parse(doc, source, nil)
		return nil, err
	}
	if len(doc) > spec.MaxBytes {
		return doc, nil // the host says so
	}
	kinds, err := c.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	draft, err := spec.Ships(doc, kinds, dir)
	if err != nil || len(draft.Files) == 0 {
		return doc, err
	}
	// Faults are told in terms of the user's document.
	if _, err := spec.ParseChecked(doc, source, kinds, a.Check); err != nil {
		return nil, err
	}
	return a.ship(ctx, c, draft)
}

func (a *app) ship(ctx context.Context, c *api.Client, draft *spec.Draft) ([]byte, error) {
	paths := make([]string, len(draft.Files))
	for i, f := range draft.Files {
		paths[i] = f.Path
	}
	sums, err := c.Upload(ctx, paths)
	if err != nil {
		return nil, err
	}
	return draft.Doc(sums)
}

// release lets an occasional host go once its last job is over.
func (a *app) release(s *session) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := ask(ctx, s.RPC().Shutdown, &apipb.ShutdownRequest{OnlyIfOccasionalAndIdle: true})
	if err == nil && r.Stopping {
		s.own.end()
	}
}

var errDetached = errors.New("detached")

// follow shows a job until it is final. Interrupts detach.
func (a *app) follow(ctx context.Context, c *api.Client, id core.JobID, quiet bool) (*core.Job, error) {
	return a.followWith(ctx, c, id, a.view(quiet), func(*core.Job) error { return nil })
}

// followUntil is follow that shows nothing from before, and ends with enough's
// error.
func (a *app) followUntil(ctx context.Context, c *api.Client, id core.JobID, enough func(*core.Job) error) (*core.Job, error) {
	return a.followWith(ctx, c, id, recent{a.view(false), time.Now().Add(-time.Second)}, enough)
}

// recent is a view of a job without its past.
type recent struct {
	view
	since time.Time
}

func (r recent) event(e *apipb.JobEvent) {
	if e.Time.AsTime().After(r.since) {
		r.view.event(e)
	}
}

func (a *app) followWith(ctx context.Context, c *api.Client, id core.JobID, view view, enough func(*core.Job) error) (*core.Job, error) {
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(sig)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-sig:
			cancel(errDetached)
		case <-ctx.Done():
		}
	}()
	var asking sync.WaitGroup
	asking.Go(func() { a.tellWaiting(ctx, c, id, view.note) })
	defer func() { // before the view is closed
		cancel(nil)
		asking.Wait()
		view.close()
	}()
	var last *core.Job
	var seq int64
	lostSince := time.Time{}
	for {
		err := c.Watch(ctx, string(id), seq, func(j *core.Job, e *apipb.JobEvent) error {
			lostSince = time.Time{}
			if e != nil {
				seq = e.Seq
				view.event(e)
			}
			if j != nil {
				last = j
				view.job(j)
				return enough(j)
			}
			return nil
		})
		if errors.Is(context.Cause(ctx), errDetached) {
			return last, errDetached
		}
		if err == nil {
			return last, nil
		}
		if core.KindOf(err) != core.HostLost {
			return last, err
		}
		if lostSince.IsZero() {
			lostSince = time.Now()
			view.note("the host does not answer; trying again for " + span(a.patience()))
		}
		if time.Since(lostSince) > a.patience() {
			return last, &core.Error{Kind: core.HostLost, What: fmt.Sprintf("the host went away while job %s was running; its state is unknown", id),
				Remedy: "start the host again (`capstan up`) and `capstan wait " + string(id) + "`: an acknowledged job is not lost"}
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// patience is how long a host may be away before a followed job counts as lost.
func (a *app) patience() time.Duration {
	if a.Patience > 0 {
		return a.Patience
	}
	return 30 * time.Second
}

func (a *app) waitCommand() *cobra.Command {
	var timeout time.Duration
	var quiet bool
	c := &cobra.Command{
		Use: "wait JOB...", Short: "Follow jobs to their end and exit with their outcome", Args: takes(1, -1),
		ValidArgsFunction: a.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if timeout > 0 {
				// Not a deadline, which would travel with every request: the host
				// could then be the first to say that the time is over, in words
				// of its own.
				ctx, cancel := context.WithCancel(cmd.Context())
				defer cancel()
				defer time.AfterFunc(timeout, cancel).Stop()
				cmd.SetContext(ctx)
			}
			ref := ""
			err := a.onHost(func(ctx context.Context, s *session, args []string) error {
				var worst error
				for _, ref = range args {
					job, err := a.waitOne(ctx, s.Client, ref, quiet || len(args) > 1)
					if job == nil || err != nil {
						return err
					}
					if err := a.report(s, job); err != nil {
						worst = err
					}
				}
				a.release(s)
				return worst
			})(cmd, args)
			if cmd.Context().Err() == nil {
				return err
			}
			// Whatever the time ran out in, it is this that happened.
			return core.Errorf(core.TimedOut, "job %s is not over after %s", cmp.Or(ref, args[0]), timeout).
				Do("it goes on; `capstan wait` again, or `capstan cancel`")
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", 0, "give up after this time (exit 8); the job goes on")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "no progress, only the result")
	return c
}

// waitOne follows a job to its end; nil if the user detached from it.
func (a *app) waitOne(ctx context.Context, c *api.Client, ref string, quiet bool) (*core.Job, error) {
	j, err := c.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	job, err := a.follow(ctx, c, j.ID, quiet)
	if errors.Is(err, errDetached) {
		a.comeBack(j.ID)
		return nil, nil
	}
	return job, err
}

func (a *app) cancelCommand() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "cancel JOB...", Short: "End jobs", Args: takes(1, -1), ValidArgsFunction: a.completeJobs,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			var worst error
			for _, ref := range args { // one that is not there keeps no other running
				if err := a.cancel(ctx, s, ref, reason); err != nil {
					if worst != nil {
						a.printError(core.AsError(worst))
					}
					worst = err
				}
			}
			return worst
		}),
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for the job's history")
	return c
}

func (a *app) cancel(ctx context.Context, s *session, ref, reason string) error {
	j, err := s.Cancel(ctx, ref, reason)
	if err != nil {
		return err
	}
	if j.State.Final() {
		a.hint("job %s is %s already", j.ID, j.State)
		a.hintNamesake(ctx, s, j)
		return nil
	}
	return a.item(map[string]any{"id": j.ID}, string(j.ID), string(j.ID))
}

func (a *app) retryCommand() *cobra.Command {
	return &cobra.Command{
		Use: "retry JOB", Short: "Submit a finished job's spec again", Args: takes(1, 1), ValidArgsFunction: a.completeJobs,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			r, err := ask(ctx, s.RPC().Retry, &apipb.JobRequest{Id: args[0]})
			if err != nil {
				return err
			}
			return a.printID(core.JobID(r.Id))
		}),
	}
}
