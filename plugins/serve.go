package plugins

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/executor"
	"github.com/capstan-run/capstan/plugins/pluginpb"
)

// handshake tells a plugin's process that a host started it. The cookie is no
// secret: it is there for a friendly message when a person runs the binary.
func handshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{
		ProtocolVersion:  1,
		MagicCookieKey:   "CAPSTAN_PLUGIN",
		MagicCookieValue: "9f6c1a52-framework",
	}
}

// maxFrame bounds a message between host and plugin, in bytes.
const maxFrame = 64 << 20

// Serve is the main function of a plugin binary. It does not return.
//
//	NAME plugin     serve the host that started this process
//	NAME executor   be the worker in a container
//	NAME describe   print what it serves, as JSON
func Serve(frameworks ...core.Framework) {
	verb := ""
	if len(os.Args) > 1 {
		verb = os.Args[1]
	}
	switch verb {
	case "plugin":
		ServePlugin(frameworks...)
		os.Exit(0)
	case "executor":
		os.Exit(Execute(frameworks...))
	case "describe":
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		if err := out.Encode(descriptions(frameworks)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	fmt.Fprintf(os.Stderr, "%s is a Capstan plugin: put it into the plugin folder of a host, and see `capstan plugin list`.\n"+
		"Here it knows only `describe`.\n", os.Args[0])
	os.Exit(2)
}

// Execute is an executor's process: it runs executor.Run until a worker ended,
// says on stderr why it failed, and returns the process's exit code.
func Execute(frameworks ...core.Framework) int {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	err := executor.Run(ctx, frameworks)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		if d := core.AsError(err).Detail; d != "" {
			fmt.Fprintln(os.Stderr, d)
		}
	}
	return executor.ExitCode(err)
}

// ServePlugin serves frameworks to the host that started this process, until
// the host ends it. A signal to the whole group (Ctrl-C, the stop of a service)
// is the host's to obey; when the host is gone, so is this process (law P6).
func ServePlugin(frameworks ...core.Framework) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT)
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: handshake(),
		Plugins:         goplugin.PluginSet{pluginName: &grpcPlugin{frameworks: frameworks}},
		Logger:          hclog.NewNullLogger(),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.MaxRecvMsgSize(maxFrame))...)
		},
	})
}

const pluginName = "framework"

// grpcPlugin ties the service to go-plugin.
type grpcPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	frameworks []core.Framework // on the plugin's side
}

func (p *grpcPlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	pluginpb.RegisterFrameworkServer(s, &frameworkServer{frameworks: p.frameworks})
	return nil
}

func (p *grpcPlugin) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

func descriptions(frameworks []core.Framework) []core.Description {
	out := make([]core.Description, len(frameworks))
	for i, f := range frameworks {
		out[i] = f.Describe()
	}
	return out
}
