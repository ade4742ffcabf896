package plugins

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/plugins/pluginpb"
)

// process is one running plugin process.
type process struct {
	name    string
	client  *goplugin.Client
	conn    *grpc.ClientConn
	rpc     pluginpb.FrameworkClient
	stderr  *tail
	runner  *cmdRunner
	sockets string      // the process's own directory
	hung    atomic.Bool // killed because it did not answer
	counted atomic.Bool // its crash is in the breaker's count
	ended   sync.Once
}

// start starts a process of b and waits until it serves. An error is a crash
// (law P1) unless the binary was refused or could not be executed.
func (l *launchpad) start(name string, b *binary) (*process, error) {
	file, path, err := b.checked()
	if err != nil {
		return nil, err
	}
	if file != nil {
		defer file.Close()
	}
	p := &process{name: name, stderr: new(tail)}
	p.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  handshake(),
		Plugins:          goplugin.PluginSet{pluginName: &grpcPlugin{}},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     l.startTimeout,
		Logger:           hclog.NewNullLogger(),
		Stderr:           p.stderr,
		SyncStdout:       p.stderr,
		SyncStderr:       p.stderr,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: l.dir},
		RunnerFunc: func(_ hclog.Logger, c *exec.Cmd, sockets string) (runner.Runner, error) {
			p.sockets = sockets
			c.Path, c.Args = path, append([]string{b.path}, b.args...)
			c.Env = append(plainEnv(), c.Env...)
			c.Stdin = nil
			var err error
			p.runner, err = l.newRunner(c)
			return p.runner, err
		},
	})
	if err := p.connect(); err != nil {
		began := p.runner != nil && p.runner.started()
		p.hung.Store(began && !p.endedByItself())
		p.kill()
		if !began {
			return nil, &core.Error{Kind: core.Internal, What: "start plugin " + name, Where: b.path, Err: err}
		}
		return nil, p.crash(err)
	}
	return p, nil
}

func (p *process) connect() error {
	c, err := p.client.Client()
	if err != nil {
		return err
	}
	raw, err := c.Dispense(pluginName)
	if err != nil {
		return err
	}
	p.conn = raw.(*grpc.ClientConn)
	p.rpc = pluginpb.NewFrameworkClient(p.conn)
	return nil
}

// kill ends the process at once and cleans up after it. There is nothing that
// a plugin should still do: what lasts was saved through the host.
func (p *process) kill() {
	p.ended.Do(func() {
		if p.runner != nil {
			_ = p.runner.Kill(context.Background()) // an ended process is what is wanted
		}
		p.client.Kill()
		// go-plugin leaves it behind when the process did not start.
		_ = os.RemoveAll(p.sockets)
	})
}

func (p *process) alive() bool {
	select {
	case <-p.runner.exited:
		return false
	default:
		return true
	}
}

// endedByItself tells a process that ended before it served from one that go-plugin
// has killed, or is about to, since it did not serve in time.
func (p *process) endedByItself() bool {
	select {
	case <-p.runner.exited:
		return !p.runner.killed()
	case <-time.After(time.Second):
		return false
	}
}

// crash describes the end of the process as an error. cause is what the caller
// saw of it.
func (p *process) crash(cause error) *core.Error {
	e := &core.Error{Kind: core.Internal, Where: "plugin " + p.name, Detail: p.stderr.String()}
	how := strings.TrimSpace(cause.Error())
	switch {
	case p.hung.Load():
		how = "it did not answer and was killed"
	case p.runner.started() && !p.alive():
		how = p.runner.state()
	}
	e.Err = fmt.Errorf("%w: %s", core.ErrPluginCrash, how)
	e.Remedy = "see the lines below; `capstan plugin list` shows the state of every plugin"
	return e
}

// failure turns the error of a call into a crash when the process is gone, or
// into the error that the plugin answered with.
func (p *process) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switch status.Code(err) {
	case codes.Unknown, codes.InvalidArgument, codes.Unimplemented, codes.ResourceExhausted:
		return &core.Error{Kind: core.Internal, Where: "plugin " + p.name, What: status.Convert(err).Message()}
	}
	// The connection broke. If the process is not gone by itself, it is of no
	// use any more.
	select {
	case <-p.runner.exited:
	case <-time.After(time.Second):
	}
	crash := p.crash(err)
	if p.alive() {
		p.kill()
		crash.Detail = p.stderr.String()
	}
	return crash
}

// watch kills the process when it answers no health check for hangAfter, until
// ctx ends (law P2). A host that slept blames nobody: it counts checks, not
// time.
func (p *process) watch(ctx context.Context, every, hangAfter time.Duration) {
	health := grpc_health_v1.NewHealthClient(p.conn)
	for {
		if !pause(ctx, every) {
			return
		}
		check, cancel := context.WithTimeout(ctx, hangAfter)
		_, err := health.Check(check, &grpc_health_v1.HealthCheckRequest{Service: goplugin.GRPCServiceName})
		late := check.Err() == context.DeadlineExceeded
		cancel()
		if err != nil && late && ctx.Err() == nil {
			p.hung.Store(true)
			p.kill()
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
