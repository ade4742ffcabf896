// Command capstan hosts big-data frameworks. This file is wiring: which
// frameworks, launchers and commands this binary has.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // schedules name time zones, and a bare machine knows none

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/benchmarks"
	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/cli"
	"github.com/capstan-run/capstan/core/host"
	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/docker"
	"github.com/capstan-run/capstan/core/launch/process"
	"github.com/capstan-run/capstan/frameworks/batch/directives"
	batch "github.com/capstan-run/capstan/frameworks/batch/framework"
	bsp "github.com/capstan-run/capstan/frameworks/bsp/framework"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/framework"
	"github.com/capstan-run/capstan/frameworks/mapreduce/work"
	mpidoor "github.com/capstan-run/capstan/frameworks/mpi/door"
	"github.com/capstan-run/capstan/frameworks/mpi/exec"
	mpi "github.com/capstan-run/capstan/frameworks/mpi/framework"
	"github.com/capstan-run/capstan/frameworks/mpi/mpiexec"
	service "github.com/capstan-run/capstan/frameworks/service/framework"
	spark "github.com/capstan-run/capstan/frameworks/spark/framework"
	stream "github.com/capstan-run/capstan/frameworks/stream/framework"
	"github.com/capstan-run/capstan/plugins"
	"github.com/capstan-run/capstan/shuffle/store"
	"github.com/capstan-run/capstan/shuffle/store/embedded"
	"github.com/capstan-run/capstan/shuffle/store/gate"
)

// version is set by the release build; otherwise the module's own is used.
var version = ""

// builtIn are the frameworks this binary serves, by plugin name.
func builtIn() map[string]core.Framework {
	return map[string]core.Framework{"batch": batch.Framework{}, "bsp": bsp.New(nil), "mapreduce": framework.New(work.Registry{}),
		"mpi": mpi.Framework{}, "service": service.New(), "spark": spark.Framework{}, "stream": stream.New()}
}

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "executor":
			os.Exit(plugins.Execute(all()...))
		case "plugin":
			if len(os.Args) == 3 && builtIn()[os.Args[2]] != nil {
				plugins.ServePlugin(builtIn()[os.Args[2]])
				return
			}
		case "mpi-rank":
			os.Exit(exec.Main(context.Background(), os.Args[2:], os.Stdout, os.Stderr))
		case "mpi-keep", "mpi-agent", "mpi-spawn":
			os.Exit(mpidoor.Main(os.Args[1], os.Args[2:]))
		case "store-server":
			if err := embedded.Main(context.Background(), os.Stdin, os.Stdout); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	os.Exit(cli.Run(context.Background(), wiring(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func all() []core.Framework {
	var list []core.Framework
	for _, f := range builtIn() {
		list = append(list, f)
	}
	return list
}

func wiring() cli.Wiring {
	w := cli.Wiring{Version: buildVersion(), Host: runHost, Store: openStore, Check: checkSpec,
		Engine: func(ctx context.Context) (string, error) { return docker.Version(ctx, "") }}
	w.Scripts, w.Fronts = scripts(), fronts()
	w.Extra = append(w.Extra, benchmarks.Command(w.Version))
	for _, f := range all() {
		w.Kinds = append(w.Kinds, f.Describe())
	}
	return w
}

// scripts are those for sbatch and qsub: they become Batch documents.
func scripts() *cli.Scripts {
	s := &cli.Scripts{Is: directives.IsScript, Wrap: directives.Wrap}
	for _, o := range directives.Options() {
		s.Flags = append(s.Flags, cli.ScriptFlag(o))
	}
	s.Document = func(in cli.ScriptSubmission) ([]byte, []core.Diagnostic, error) {
		d := directives.Submission{Source: in.Source, Script: in.Script, Args: in.Args, Dir: in.Dir, Now: in.Now, Env: in.Env}
		for _, f := range in.Flags {
			d.Flags = append(d.Flags, directives.Flag{Name: f[0], Value: f[1]})
		}
		return directives.Document(d)
	}
	return s
}

// fronts are the commands that stand for a job.
func fronts() []cli.Front {
	return []cli.Front{{
		Name: "mpiexec", Use: "mpiexec [OPTIONS] PROGRAM [ARGUMENTS] [: [OPTIONS] PROGRAM ...]",
		Short: "Run an MPI program as people are used to", Long: mpiexec.Long,
		Open: func(args []string, out io.Writer) (cli.Call, error) {
			c, err := mpiexec.Open(args, buildVersion(), out)
			if c == nil || err != nil {
				return nil, err
			}
			return mpiCall{c}, nil
		},
	}}
}

// mpiCall is mpiexec as the commands see it.
type mpiCall struct{ *mpiexec.Call }

func (c mpiCall) Document(s cli.Site) ([]byte, error) {
	return c.Call.Document(mpiexec.Site{Dir: s.Dir, Environ: s.Environ, Launcher: s.Launcher, Node: s.Largest}, s.Local,
		mpiexec.Streams{In: s.In, Out: s.Out, Err: s.Err})
}

// checkSpec has the framework of s look for faults, if it can without a host.
func checkSpec(s *core.Spec) []core.Diagnostic {
	for _, f := range all() {
		c, ok := f.(interface {
			Check(*core.Spec) []core.Diagnostic
		})
		if ok && f.Describe().Kind == s.Kind {
			return c.Check(s)
		}
	}
	return nil
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" && b.Main.Version != "(devel)" {
		return b.Main.Version
	}
	return "dev"
}

// runHost assembles a host and runs it.
func runHost(ctx context.Context, o cli.HostOptions) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	level := slog.LevelWarn
	if o.Verbose {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))

	// Nobody's executors are looked for before the state directory is ours.
	wait := time.Duration(0)
	if o.Occasional {
		wait = 15 * time.Second // whoever started us takes the other host
	}
	claim, err := host.Claim(ctx, o.StateDir, wait)
	if err != nil {
		return err
	}
	defer claim.Release()
	launcher, why, err := openLauncher(ctx, o, log)
	if err != nil {
		return err
	}
	defer launcher.Close()
	st, err := startStore(ctx, o, log)
	if err != nil {
		return err
	}
	defer st.close()
	sup, err := startPlugins(ctx, o, log)
	if err != nil {
		return err
	}
	defer os.RemoveAll(runtimeDir(o))
	defer sup.Close()

	cfg := host.Config{
		StateDir: o.StateDir, Claim: claim, Version: buildVersion(), Launcher: launcher, LauncherWhy: why,
		Frameworks: frameworks{sup}, Store: st, Trouble: st.trouble, ExecutorUID: -1, ExecutorGID: -1,
		Occasional: o.Occasional, Warm: o.Warm, Shm: sharedMemory(), Log: log,
	}
	if o.Occasional {
		cfg.Warm = 0 // it ends with its job
	}
	if owner, ok := launcher.(launch.Owner); ok {
		cfg.ExecutorUID, cfg.ExecutorGID = owner.Owner()
	}
	return host.Run(ctx, cfg, host.Listen{Address: o.Listen, TLSCert: o.TLSCert, TLSKey: o.TLSKey}, func(*host.Host) {
		sweepRuntime(o)
		o.Ready(fmt.Sprintf("host up at %s; launcher %s: %s", o.StateDir, launcher.Name(), why))
	})
}

// sharedMemory is where this machine has a file system in memory; "" nowhere.
func sharedMemory() string {
	const dir = "/dev/shm"
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC {
		return ""
	}
	return dir
}

// openLauncher takes the launcher asked for; auto takes Docker if an engine
// answers, else plain processes.
func openLauncher(ctx context.Context, o cli.HostOptions, log *slog.Logger) (launch.Launcher, string, error) {
	instance, err := host.Instance(o.StateDir)
	if err != nil {
		return nil, "", err
	}
	dir := filepath.Join(o.StateDir, "launch")
	if o.Launcher != "process" {
		l, err := docker.New(ctx, docker.Config{StateDir: dir, Instance: instance, Log: log})
		if err == nil {
			return l, "a Docker engine answers", nil
		}
		if o.Launcher == "docker" || !errors.Is(err, launch.ErrNoEngine) {
			return nil, "", err
		}
		p, perr := process.New(ctx, process.Config{StateDir: dir, Instance: instance, Log: log})
		return p, "no Docker engine answers, so executors are plain processes without isolation or memory limits", perr
	}
	p, err := process.New(ctx, process.Config{StateDir: dir, Instance: instance, Log: log})
	return p, "asked for with --launcher", err
}

// runtimeDir holds the sockets of this process's plugins.
func runtimeDir(o cli.HostOptions) string {
	return filepath.Join(o.StateDir, "tmp", fmt.Sprint(os.Getpid()))
}

// sweepRuntime removes what killed hosts left. The host that is up holds the
// journal's lock, so nobody else's is there.
func sweepRuntime(o cli.HostOptions) {
	own := runtimeDir(o)
	entries, _ := os.ReadDir(filepath.Dir(own))
	for _, e := range entries {
		if e.Name() != filepath.Base(own) {
			os.RemoveAll(filepath.Join(filepath.Dir(own), e.Name()))
		}
	}
}

func startPlugins(ctx context.Context, o cli.HostOptions, log *slog.Logger) (*plugins.Supervisor, error) {
	c := plugins.Config{Dir: o.Plugins, Pins: filepath.Join(o.StateDir, "plugins.pins"), Runtime: runtimeDir(o), Log: log}
	if c.Dir == "" {
		c.Dir = filepath.Join(o.StateDir, "plugins")
	}
	for _, d := range []string{c.Dir, c.Runtime} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, core.Errorf(core.Denied, "%v", err).At(d)
		}
	}
	for name, f := range builtIn() {
		c.BuiltIn = append(c.BuiltIn, plugins.Builtin{Name: name, Args: []string{"plugin", name}, Descriptions: []core.Description{f.Describe()}})
	}
	sup, err := plugins.New(c)
	if err != nil {
		return nil, err
	}
	if err := sup.Discover(ctx); err != nil {
		sup.Close()
		return nil, err
	}
	for _, f := range all() {
		go sup.Prepare(f.Describe().Kind) // a job that comes at once finds it started
	}
	return sup, nil
}

// frameworks is the supervisor as the host sees it.
type frameworks struct{ *plugins.Supervisor }

// Kinds knows a plugin that was added since.
func (f frameworks) Kinds() []core.Description {
	_ = f.Notice(context.Background()) // that a folder cannot be read was said at the start
	return f.Supervisor.Kinds()
}

func (f frameworks) Plugins(ctx context.Context, verify bool, accept string) ([]host.PluginInfo, error) {
	if err := f.Notice(ctx); err != nil {
		return nil, err
	}
	if accept != "" {
		if _, err := f.Verify(ctx, accept, true); err != nil {
			return nil, err
		}
	}
	list := f.List()
	for i := range list {
		if verify {
			info, err := f.Verify(ctx, list[i].Name, false)
			if err != nil {
				info.State, info.Message = "failed", err.Error()
			}
			info.Name = list[i].Name
			list[i] = info
		}
	}
	var out []host.PluginInfo
	for _, p := range list {
		v := host.PluginInfo{Name: p.Name, Path: p.Path, SHA256: p.SHA256, Pin: p.Pin, State: p.State,
			Message: strings.TrimRight(p.Message+"\n"+p.Stacks, "\n")}
		for _, k := range p.Kinds {
			v.Kinds = append(v.Kinds, k.Kind)
			v.Version = k.Version
		}
		out = append(out, v)
	}
	return out, nil
}

// objectStore is the embedded store, or another one, as the host sees it.
type objectStore struct {
	admin  core.StoreAccess
	client *store.Client
	server *embedded.Server // nil for an external one
	// trouble holds the last word on what ails the embedded one.
	trouble chan string
}

func startStore(ctx context.Context, o cli.HostOptions, log *slog.Logger) (*objectStore, error) {
	s := &objectStore{trouble: make(chan string, 1)}
	if o.Store.Endpoint != "" {
		s.admin = o.Store
		s.admin.AccessKey, s.admin.SecretKey = os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	} else {
		exe, err := os.Executable()
		if err != nil {
			return nil, err
		}
		if s.server, err = embedded.Start(ctx, embedded.Options{
			Command: []string{exe, "store-server"}, Root: filepath.Join(o.StateDir, "store"), Log: log,
			Down: func(reason error) { s.tell(reason.Error() + "; " + core.AsError(reason).Remedy) },
			Up:   func() { s.tell("") },
		}); err != nil {
			return nil, err
		}
		s.admin = s.server.Access()
	}
	var err error
	if s.client, err = store.Open(s.admin); err == nil {
		err = s.client.EnsureBucket(ctx, "capstan")
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// tell replaces the last word on the store, heard or not. It has one caller.
func (s *objectStore) tell(text string) {
	select {
	case <-s.trouble:
	default:
	}
	s.trouble <- text
}

func (s *objectStore) Admin() core.StoreAccess { return s.admin }

// grantLife is how long an attempt's grants outlive it, should nobody fence them.
const grantLife = time.Hour

func (s *objectStore) Door(ctx context.Context, prefix string, grants []core.StoreGrant) (host.Door, error) {
	for _, g := range grants {
		if !g.Write {
			continue
		}
		bucket, _, _ := strings.Cut(g.Prefix, "/")
		if err := s.client.EnsureBucket(ctx, bucket); err != nil {
			return nil, err
		}
	}
	g, err := gate.New(gate.Options{Upstream: s.admin, Prefix: prefix, Grants: grants, Trust: true})
	if err != nil {
		return nil, err
	}
	go g.Vouch(ctx, grantLife)
	return door{g}, nil
}

func (s *objectStore) Sweep(ctx context.Context, prefix string) error {
	_, err := s.client.DeletePrefix(ctx, prefix)
	return err
}

func (s *objectStore) close() {
	if s.client != nil {
		s.client.Close()
	}
	if s.server != nil {
		s.server.Close()
	}
}

// door is a gate as the host sees it.
type door struct{ *gate.Gate }

func (d door) Serve(l net.Listener)     { go d.Gate.Serve(l) }
func (d door) Access() core.StoreAccess { return d.Gate.Access("") }
func (d door) Close()                   { d.Gate.Close() }

func (d door) Fence() {
	// A store that does not answer may yet let something appear: ask again.
	for range 10 {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		err := d.Gate.Fence(ctx)
		cancel()
		if err == nil {
			return
		}
	}
}

// openStore opens the store for the store commands.
func openStore(a core.StoreAccess) (cli.Store, error) {
	c, err := store.Open(a)
	if err != nil {
		return nil, err
	}
	return storeCommands{c}, nil
}

type storeCommands struct{ c *store.Client }

func (s storeCommands) List(ctx context.Context, prefix string, each func(string, int64, time.Time) error) error {
	for info, err := range s.c.List(ctx, prefix, "") {
		if err != nil {
			return err
		}
		if err := each(info.Path, info.Size, info.Modified); err != nil {
			return err
		}
	}
	return nil
}

func (s storeCommands) Get(ctx context.Context, path string, w io.Writer) error {
	r, _, err := s.c.Get(ctx, path, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}

func (s storeCommands) Put(ctx context.Context, path string, r io.Reader, size int64) error {
	bucket, _, _ := strings.Cut(path, "/")
	if err := s.c.EnsureBucket(ctx, bucket); err != nil {
		return err
	}
	_, err := s.c.Put(ctx, path, r, size, store.PutOptions{})
	return err
}

func (s storeCommands) Result(ctx context.Context, url string, w io.Writer) error {
	return output.Cat(ctx, s.c, url, w)
}

var (
	_ cli.Collector = storeCommands{}
	_ cli.Sharer    = storeCommands{}
)

func (s storeCommands) Share(ctx context.Context, path string, life time.Duration) (string, error) {
	return s.c.Share(ctx, path, life)
}

// Garbage looks for uploads in the whole of a store that is ours alone, and
// beside the given prefixes only among the jobs' in one that may have others'.
func (s storeCommands) Garbage(ctx context.Context, live func(context.Context) (map[core.JobID]core.Epoch, error), before time.Time, uploads []string) ([]cli.Garbage, error) {
	if uploads == nil && s.c.Access().Root == "" {
		uploads = []string{}
	}
	found, err := s.c.Garbage(ctx, store.Search{Jobs: "capstan/jobs/", Live: live, Before: before, Uploads: uploads})
	list := make([]cli.Garbage, len(found))
	for i, g := range found {
		list[i] = cli.Garbage(g)
	}
	return list, err
}

func (s storeCommands) Discard(ctx context.Context, list []cli.Garbage) (int, error) {
	found := make([]store.Garbage, len(list))
	for i, g := range list {
		found[i] = store.Garbage(g)
	}
	return s.c.Discard(ctx, found)
}
