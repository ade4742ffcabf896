package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
)

// Sharer is a Store that makes links.
type Sharer interface {
	// Share makes a URL by which anybody can read the object for the time given.
	Share(ctx context.Context, path string, life time.Duration) (string, error)
}

func (a *app) storeShareCommand() *cobra.Command {
	life := 24 * time.Hour
	c := &cobra.Command{
		Use: "share s3://BUCKET/KEY", Short: "Make a link by which anybody can read an object for a while", Args: takes(1, 1),
		Example: "  capstan store share s3://results/wordcount/part-00000 --for 1h",
	}
	c.Flags().DurationVar(&life, "for", life, "how long the link is valid, up to 168h")
	// A host for the occasion would take its store, and the link, with it.
	c.RunE = a.onHost(func(ctx context.Context, s *session, args []string) error {
		st, err := a.storeOf(s)
		if err != nil {
			return err
		}
		return a.storeShare(ctx, st, args[0], life)
	})
	return c
}

func (a *app) storeShare(ctx context.Context, s Store, name string, life time.Duration) error {
	sharer, ok := s.(Sharer)
	if !ok {
		return core.Errorf(core.Invalid, "this store makes no links")
	}
	link, err := sharer.Share(ctx, object(name), life)
	if err != nil {
		return err
	}
	u, err := url.Parse(link)
	if err != nil {
		return err
	}
	told := map[string]any{"url": link, "expires": time.Now().Add(life).UTC().Truncate(time.Second)}
	if err := a.print(told, []string{link}, func(w io.Writer) { fmt.Fprintln(w, link) }); err != nil {
		return err
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
		a.hint("the link works on this machine and until the host stops: the embedded store listens on loopback")
	}
	return nil
}
