package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/api"
	"github.com/capstan-run/capstan/core/api/apipb"
)

func (a *app) upCommand() *cobra.Command {
	var o HostOptions
	var readyFD int
	c := &cobra.Command{
		Use: "up", Short: "Run a host with an embedded store", Args: takes(0, 0),
		Long: `Runs a host until it is interrupted. Executors of running jobs stay when it ends;
the next host on the same state directory goes on with them.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("launcher", o.Launcher, launchers...); err != nil {
				return err
			}
			if err := a.nobodyHere(cmd.Context()); err != nil {
				return err
			}
			o.StateDir = a.state
			o.Ready = func(line string) {
				if readyFD > 0 {
					f := os.NewFile(uintptr(readyFD), "ready")
					fmt.Fprintln(f, line)
					f.Close()
					return
				}
				a.hint("%s", line)
			}
			return a.Host(cmd.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Launcher, "launcher", "auto", "docker, process, or auto: docker if an engine answers")
	choose(c, "launcher", launchers...)
	f.StringVar(&o.Listen, "listen", "", "answer the API on this TCP address too; beyond loopback only with --tls-cert and --tls-key")
	f.StringVar(&o.TLSCert, "tls-cert", "", "certificate file for --listen")
	f.StringVar(&o.TLSKey, "tls-key", "", "key file for --listen")
	f.StringVar(&o.Plugins, "plugins", "", "plugin folder (default STATE/plugins)")
	f.IntVar(&o.Warm, "warm", 2, "gang shapes kept ready after their first use; 0 for none")
	f.StringVar(&o.Store.Endpoint, "s3-endpoint", "", "use this S3 store, with $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, instead of the embedded one")
	f.StringVar(&o.Store.Region, "s3-region", "us-east-1", "region of --s3-endpoint")
	f.BoolVarP(&o.Verbose, "verbose", "v", false, "log what the host does")
	f.BoolVar(&o.Occasional, "occasional", false, "end with the last job")
	f.IntVar(&readyFD, "ready-fd", 0, "write a line to this descriptor once the API answers")
	f.MarkHidden("occasional")
	f.MarkHidden("ready-fd")
	return c
}

// launchers are what --launcher takes.
var launchers = []string{"auto", "docker", "process"}

// nobodyHere refuses to start a second host on a state directory, before
// anything of the first one's is touched.
func (a *app) nobodyHere(ctx context.Context) error {
	here := *a
	here.address = ""
	c, info, err := here.host(ctx)
	if err != nil {
		return nil // whoever is there and does not answer still holds its locks
	}
	defer c.Close()
	return core.Errorf(core.Conflict, "a host runs on this state directory already (pid %d)", info.Pid).At(a.state).
		Do("use that one, end it, or choose another directory with --state")
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.print(map[string]string{"version": a.Version}, []string{a.Version}, func(w io.Writer) {
				fmt.Fprintf(w, "capstan %s\n", a.Version)
			})
		},
	}
}

func fromStructs[T any](list []*structpb.Struct, name func(T) string) ([]T, []string, error) {
	out, names := make([]T, len(list)), make([]string, len(list))
	for i, s := range list {
		if err := api.FromStruct(s, &out[i]); err != nil {
			return nil, nil, err
		}
		names[i] = name(out[i])
	}
	return out, names, nil
}

func (a *app) pluginCommand() *cobra.Command {
	list := func(q *apipb.PluginsRequest) func(*cobra.Command, []string) error {
		return a.onAnyHost(func(ctx context.Context, s *session, _ []string) error {
			r, err := ask(ctx, s.RPC().Plugins, q)
			if err != nil {
				return err
			}
			return a.printPlugins(r.Plugins)
		})
	}
	q := &apipb.PluginsRequest{Verify: true}
	verify := &cobra.Command{
		Use: "verify", Short: "Start every plugin and hold it against its pin", Args: takes(0, 0), RunE: list(q),
	}
	verify.Flags().StringVar(&q.Accept, "accept", "", "pin the present binary of this plugin, and let a held one go on")
	return family(&cobra.Command{Use: "plugin", Short: "Look at the frameworks"}, &cobra.Command{
		Use: "list", Short: "List plugins", Args: takes(0, 0), RunE: list(&apipb.PluginsRequest{}),
	}, verify)
}

func (a *app) printPlugins(list []*apipb.Plugin) error {
	var names []string
	bad := false
	for _, p := range list {
		names = append(names, p.Name)
		bad = bad || p.Pin == "mismatch" || p.State != "ready"
	}
	err := a.print(list, names, func(w io.Writer) {
		fmt.Fprintln(w, "NAME\tKINDS\tVERSION\tPIN\tSTATE\tSHA256\tPATH")
		for _, p := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.12s\t%s\n", p.Name, strings.Join(p.Kinds, ","), p.Version, p.Pin, p.State, p.Sha256, p.Path)
		}
	})
	for _, p := range list {
		if p.Message != "" {
			a.hint("%s: %s", p.Name, strings.ReplaceAll(cleanLines(p.Message), "\n", "\n  | "))
		}
		if p.Pin == "mismatch" {
			a.hint("  fix: if you changed it, `capstan plugin verify --accept %s`; else put the old binary back", p.Name)
		}
	}
	if err == nil && bad {
		return exitCode(1)
	}
	return err
}
