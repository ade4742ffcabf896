package cli

import (
	"context"

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
	var worst error
	for _, ref := range refs {
		r, err := ask(ctx, call, &apipb.JobRequest{Id: ref})
		var j core.Job
		if err == nil {
			err = api.FromStruct(r.Job, &j)
		}
		if err == nil {
			err = a.item(map[string]any{"id": j.ID}, string(j.ID), string(j.ID))
		}
		if err != nil && worst != nil {
			a.printError(core.AsError(worst))
		}
		if err != nil {
			worst = err
		}
	}
	return worst
}
