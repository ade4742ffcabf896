package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
)

// Front is a command whose own command line becomes a job, which it then stands
// for: it prints what the job's programs print, and ends as they do.
type Front struct {
	Name, Use, Short, Long string
	// Open reads the arguments. A nil Call is that there is nothing to run: what
	// was asked for has been printed to out.
	Open func(args []string, out io.Writer) (Call, error)
}

// Call is one use of a Front.
type Call interface {
	// Setting is an option of this command that Capstan's own commands have too:
	// "state", "launcher", "quiet"; "" if it was not given.
	Setting(name string) string
	// Document makes the job's document for the host that was found.
	Document(Site) ([]byte, error)
	// Takes reports whether it takes the programs' output itself; else it is what
	// the job's log has of it.
	Takes() bool
	// Finish returns when all that it takes of the job, which has ended, is written.
	Finish(context.Context)
	Close()
}

// Site is where a front's command was called, and the host it talks to.
type Site struct {
	Dir      string
	Environ  []string
	Launcher string
	Largest  core.Resources // of the host's nodes
	Local    bool           // the host is on this machine
	In       io.Reader
	Out, Err io.Writer
}

func (a *app) frontCommand(f Front) *cobra.Command {
	return &cobra.Command{
		Use: f.Use, Short: f.Short, Long: f.Long, DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			call, err := f.Open(args, a.out)
			if call == nil || err != nil {
				return err
			}
			defer call.Close()
			if s := call.Setting("state"); s != "" {
				a.state = s
			}
			a.launcher, a.quiet = call.Setting("launcher"), true
			if a.launcher != "" {
				if err := oneOf("launcher", a.launcher, launchers...); err != nil {
					return err
				}
			}
			return a.anyHost(cmd.Context(), func(ctx context.Context, s *session) error { return a.stand(ctx, s, f.Name, call) })
		},
	}
}

// stand submits a call's job and stands for it.
func (a *app) stand(ctx context.Context, s *session, name string, call Call) error {
	site, err := a.site(ctx, s)
	if err != nil {
		return err
	}
	doc, err := call.Document(site)
	if err != nil {
		return err
	}
	id, err := a.submit(ctx, s.Client, doc, "the command line", site.Dir, "")
	if err != nil {
		return err
	}
	if call.Setting("quiet") == "" && isTerminal(a.err) {
		a.hint("%s: job %s", name, id)
	}
	shown := make(chan struct{})
	logs, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(shown)
		if !call.Takes() {
			_ = a.passOn(logs, s.Client, id)
		}
	}()
	job, err := a.seeThrough(ctx, s, id)
	if err != nil {
		return err
	}
	late := time.AfterFunc(5*time.Second, stop)
	defer late.Stop()
	finish, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	call.Finish(finish)
	<-shown
	return a.endAs(job, call.Takes())
}

// seeThrough follows a job to its end; an interrupt cancels it.
func (a *app) seeThrough(ctx context.Context, s *session, id core.JobID) (*core.Job, error) {
	job, err := a.follow(ctx, s.Client, id, true)
	if !errors.Is(err, errDetached) {
		return job, err
	}
	if _, err := s.Cancel(ctx, string(id), "interrupted"); err != nil {
		return nil, err
	}
	return a.follow(ctx, s.Client, id, true)
}

// passOn prints the job's log as its programs wrote it.
func (a *app) passOn(ctx context.Context, c *api.Client, id core.JobID) error {
	return a.eachLogLine(ctx, c, &apipb.LogsRequest{Id: string(id), Rank: -1, Follow: true}, func(l *apipb.LogLine) error {
		if l.Rank < 0 {
			return nil
		}
		_, err := io.WriteString(a.out, clean(l.Text)+"\n")
		return err
	})
}

// endAs ends the command as the job's programs have, whose last words were shown
// already if told is set.
func (a *app) endAs(job *core.Job, told bool) error {
	if job == nil || job.Outcome == nil {
		return core.Errorf(core.HostLost, "the job's outcome is unknown")
	}
	err := job.Outcome.Err()
	if err == nil {
		return nil
	}
	e := *core.AsError(err)
	if told {
		e.Detail = ""
	}
	a.printError(&e)
	if code := job.Outcome.Report.Exit; code != 0 {
		return exitCode(max(1, code&0xff)) // as the kernel has it
	}
	return exitCode(job.Outcome.Kind.ExitCode())
}

// site looks at what the host has.
func (a *app) site(ctx context.Context, s *session) (Site, error) {
	dir, err := os.Getwd()
	if err != nil {
		return Site{}, core.Errorf(core.Invalid, "%v", err)
	}
	site := Site{Dir: dir, Environ: os.Environ(), Launcher: s.info.Launcher, In: a.in, Out: a.out, Err: a.err,
		Local: strings.HasPrefix(s.Address(), "unix:")}
	r, err := ask(ctx, s.RPC().Nodes, &apipb.NodesRequest{})
	if err != nil {
		return site, err
	}
	nodes, _, err := fromStructs[core.Node](r.Nodes, func(core.Node) string { return "" })
	for _, n := range nodes {
		if n.Capacity.CPU > site.Largest.CPU {
			site.Largest = n.Capacity
		}
	}
	return site, err
}
