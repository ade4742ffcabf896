package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

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
		Use: "up", Short: "Run a host with an embedded store", Args: cobra.NoArgs,
		Long: `Runs a host until it is interrupted. Executors of running jobs stay when it ends;
the next host on the same state directory goes on with them.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
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

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.print(map[string]string{"version": a.Version}, func() string { return a.Version }, func(w io.Writer) {
				fmt.Fprintf(w, "capstan %s\n", a.Version)
			})
		},
	}
}

func (a *app) nodeCommand() *cobra.Command {
	c := &cobra.Command{Use: "node", Short: "Look at the machines"}
	c.AddCommand(&cobra.Command{
		Use: "list", Short: "List nodes, what they have and what is free", Args: cobra.NoArgs,
		RunE: a.onHost(func(ctx context.Context, s *session, _ []string) error {
			r, err := ask(ctx, s.RPC().Nodes, &apipb.NodesRequest{})
			if err != nil {
				return err
			}
			type node struct {
				core.Node
				Free      core.Resources `json:"free"`
				Executors int            `json:"executors"`
				State     string         `json:"state"`
			}
			nodes, names, err := fromStructs[node](r.Nodes, func(n node) string { return string(n.ID) })
			if err != nil {
				return err
			}
			return a.print(nodes, func() string { return strings.Join(names, "\n") }, func(w io.Writer) {
				fmt.Fprintln(w, "NODE\tSTATE\tLAUNCHER\tCPU FREE\tMEMORY FREE\tEXECUTORS")
				for _, n := range nodes {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s of %s\t%s of %s\t%d\n", n.ID, n.State, s.info.Launcher, n.Free.CPU, n.Capacity.CPU,
						size(int64(n.Free.Memory)), size(int64(n.Capacity.Memory)), n.Executors)
				}
			})
		}),
	})
	return c
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
	c := &cobra.Command{Use: "plugin", Short: "Look at the frameworks"}
	list := func(q *apipb.PluginsRequest) func(*cobra.Command, []string) error {
		return a.onAnyHost(func(ctx context.Context, s *session, _ []string) error {
			r, err := ask(ctx, s.RPC().Plugins, q)
			if err != nil {
				return err
			}
			return a.printPlugins(r.Plugins)
		})
	}
	c.AddCommand(&cobra.Command{
		Use: "list", Short: "List plugins", Args: cobra.NoArgs, RunE: list(&apipb.PluginsRequest{}),
	})
	q := &apipb.PluginsRequest{Verify: true}
	verify := &cobra.Command{
		Use: "verify", Short: "Start every plugin and hold it against its pin", Args: cobra.NoArgs, RunE: list(q),
	}
	verify.Flags().StringVar(&q.Accept, "accept", "", "pin the present binary of this plugin, and let a held one go on")
	c.AddCommand(verify)
	return c
}

func (a *app) printPlugins(list []*apipb.Plugin) error {
	var names []string
	bad := false
	for _, p := range list {
		names = append(names, p.Name)
		bad = bad || p.Pin == "mismatch" || p.State != "ready"
	}
	err := a.print(list, func() string { return strings.Join(names, "\n") }, func(w io.Writer) {
		fmt.Fprintln(w, "NAME\tKINDS\tVERSION\tPIN\tSTATE\tSHA256\tPATH")
		for _, p := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.12s\t%s\n", p.Name, strings.Join(p.Kinds, ","), p.Version, p.Pin, p.State, p.Sha256, p.Path)
		}
	})
	for _, p := range list {
		if p.Message != "" {
			a.hint("%s: %s", p.Name, p.Message)
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

func (a *app) storeCommand() *cobra.Command {
	c := &cobra.Command{Use: "store", Short: "Look into the object store"}
	with := func(ctx context.Context, f func(Store) error) error {
		return a.anyHost(ctx, func(_ context.Context, s *session) error {
			var access core.StoreAccess
			if err := api.FromStruct(s.info.Store, &access); err != nil {
				return err
			}
			st, err := a.Wiring.Store(access)
			if err != nil {
				return err
			}
			return f(st)
		})
	}
	c.AddCommand(&cobra.Command{
		Use: "ls [s3://BUCKET/PREFIX]", Short: "List objects (default s3://results/)", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			prefix := "results/"
			if len(args) == 1 {
				prefix = strings.TrimPrefix(args[0], "s3://")
			}
			if !strings.Contains(prefix, "/") {
				prefix += "/"
			}
			return with(cmd.Context(), func(s Store) error {
				return s.List(cmd.Context(), prefix, func(path string, n int64, at time.Time) error {
					if a.output == "json" {
						return printJSON(a.out, map[string]any{"path": "s3://" + path, "size": n, "modified": at})
					}
					_, err := fmt.Fprintf(a.out, "%12d  %s  s3://%s\n", n, at.Local().Format("2006-01-02 15:04:05"), path)
					return err
				})
			})
		},
	}, &cobra.Command{
		Use: "cat URL", Short: "Write a job's result as text, or an object as it is", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd.Context(), func(s Store) error { return s.Result(cmd.Context(), args[0], a.out) })
		},
	}, &cobra.Command{
		Use: "get s3://BUCKET/KEY [FILE]", Short: "Copy an object to a file or standard output", Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd.Context(), func(s Store) error { return a.storeGet(cmd.Context(), s, args) })
		},
	}, &cobra.Command{
		Use: "put FILE s3://BUCKET/KEY", Short: "Copy a file into the store", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd.Context(), func(s Store) error {
				f, err := os.Open(args[0])
				if err != nil {
					return core.Errorf(core.Invalid, "%v", err)
				}
				defer f.Close()
				fi, err := f.Stat()
				if err != nil {
					return err
				}
				return s.Put(cmd.Context(), strings.TrimPrefix(args[1], "s3://"), f, fi.Size())
			})
		},
	})
	return c
}

func (a *app) storeGet(ctx context.Context, s Store, args []string) error {
	path := strings.TrimPrefix(args[0], "s3://")
	if len(args) == 1 {
		return s.Get(ctx, path, a.out)
	}
	f, err := os.Create(args[1])
	if err != nil {
		return core.Errorf(core.Invalid, "%v", err)
	}
	if err := s.Get(ctx, path, f); err != nil {
		f.Close()
		os.Remove(args[1])
		return err
	}
	return f.Close()
}
