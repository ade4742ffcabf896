package cli

import (
	"context"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
)

func (a *app) holdCommand() *cobra.Command {
	return &cobra.Command{
		Use: "hold JOB...", Short: "Keep jobs that wait from starting until they are released", Args: takes(1, -1), ValidArgsFunction: a.completeJobs,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			return a.eachJob(ctx, s.RPC().Hold, args)
		}),
	}
}

func (a *app) releaseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "release JOB...", Short: "Let jobs go that are held", Args: takes(1, -1), ValidArgsFunction: a.completeJobs,
		RunE: a.onHost(func(ctx context.Context, s *session, args []string) error {
			return a.eachJob(ctx, s.RPC().Release, args)
		}),
	}
}

// eachJob makes one call about each of some jobs and prints their ids. One that
// goes wrong keeps no other from it.
func (a *app) eachJob(ctx context.Context, call func(context.Context, *connect.Request[apipb.JobRequest]) (*connect.Response[apipb.JobResponse], error), refs []string) error {
	return a.each(refs, func(ref string) error {
		r, err := ask(ctx, call, &apipb.JobRequest{Id: ref})
		var j core.Job
		if err == nil {
			err = api.FromStruct(r.Job, &j)
		}
		if err == nil {
			err = a.item(map[string]any{"id": j.ID}, string(j.ID), string(j.ID))
		}
		return err
	})
}

// each does f for all of args, tells every error but the last and answers that.
func (a *app) each(args []string, f func(string) error) error {
	var last error
	for _, arg := range args {
		if err := f(arg); err != nil {
			if last != nil {
				a.printError(core.AsError(last))
			}
			last = err
		}
	}
	return last
}

// heldBy is what a queued job waits for beside room.
func heldBy(j *core.Job) (list []string) {
	if j.State != core.Queued || !j.Started.IsZero() { // it had what it waited for
		return nil
	}
	w := j.Awaits
	if w.Hold {
		list = append(list, "somebody to release it: capstan release "+string(j.ID))
	}
	if w.Begin.After(time.Now()) {
		list = append(list, w.Begin.Local().Format("2006-01-02 15:04:05 MST"))
	}
	for _, d := range w.After {
		switch d.Ended {
		case "any":
			list = append(list, "the end of "+string(d.Job))
		case "failed":
			list = append(list, "a failure of "+string(d.Job))
		default:
			list = append(list, "the success of "+string(d.Job))
		}
	}
	if w.Singleton {
		list = append(list, "those called "+j.Spec.Metadata.Name+" before it")
	}
	return list
}
