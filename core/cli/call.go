package cli

import (
	"context"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
)

// session is a command's connection to a host.
type session struct {
	*api.Client
	info *apipb.InfoResponse
	own  *occasion // nil: the host was there before the command
}

// body is what a command does once it is connected.
type body func(ctx context.Context, s *session, args []string) error

// onHost makes a command of do that needs a host which is there.
func (a *app) onHost(do body) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, info, err := a.host(cmd.Context())
		if err != nil {
			return err
		}
		defer c.Close()
		return do(cmd.Context(), &session{Client: c, info: info}, args)
	}
}

// onAnyHost makes a command of do that starts a host for the occasion where
// none is there, and lets it go afterwards.
func (a *app) onAnyHost(do body) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return a.anyHost(cmd.Context(), func(ctx context.Context, s *session) error { return do(ctx, s, args) })
	}
}

// anyHost is onAnyHost for a command that has something to do before.
func (a *app) anyHost(ctx context.Context, do func(context.Context, *session) error) error {
	c, info, own, err := a.hostOrOwn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	s := &session{Client: c, info: info, own: own}
	defer a.release(s)
	return do(ctx, s)
}

// ask makes one call of the generated client; its errors are for people.
func ask[Q, R any](ctx context.Context, call func(context.Context, *connect.Request[Q]) (*connect.Response[R], error), q *Q) (*R, error) {
	r, err := call(ctx, connect.NewRequest(q))
	if err != nil {
		return nil, api.FromConnect(err)
	}
	return r.Msg, nil
}
