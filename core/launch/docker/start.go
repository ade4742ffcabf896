package docker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/launch"
	"github.com/capstan-run/capstan/core/launch/binary"
	"github.com/capstan-run/capstan/core/launch/ledger"
)

// Start creates and starts all of set in parallel, or leaves none (law L1).
func (l *Launcher) Start(ctx context.Context, set []launch.Executor) error {
	return l.ledger.Start(ctx, set, l.hands())
}

func (l *Launcher) hands() ledger.Hands {
	return ledger.Hands{Check: l.check, Make: l.startAll, Remove: l.remove, Log: l.log}
}

func (l *Launcher) startAll(ctx context.Context, set []launch.Executor) error {
	images := make([]string, len(set))
	for i := range set {
		images[i] = l.image(&set[i])
	}
	if err := l.needImages(ctx, images); err != nil {
		return err
	}
	release, err := l.needNetworks(ctx, set)
	defer release()
	if err != nil {
		return err
	}
	alone, joining, anchors, err := l.order(ctx, set)
	if err != nil {
		return err
	}
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var once sync.Once
	var first error // the cause; the rest were told to give up
	for _, some := range [][]int{alone, joining} {
		each(len(some), func(i int) error {
			e := &set[some[i]]
			if err := l.startOne(ctx, e, anchors[e.Together]); err != nil {
				once.Do(func() { first = err })
				giveUp()
			}
			return nil
		})
	}
	return first
}

func (l *Launcher) startOne(ctx context.Context, e *launch.Executor, anchor string) error {
	program, err := l.copies.Path(e.Binary)
	if err != nil {
		return err
	}
	if err := l.makeScratch(e); err != nil {
		return stateError(err).At(l.where(e))
	}
	if err := l.create(ctx, e, program, anchor); err != nil {
		return err
	}
	if err := stopped(ctx, e); err != nil {
		return err
	}
	ctx, cancel := call(ctx)
	defer cancel()
	if err := l.engine.ContainerStart(ctx, l.container(e.ID), container.StartOptions{}); err != nil {
		return l.engineError("start", err).At(l.where(e))
	}
	return nil
}

func (l *Launcher) create(ctx context.Context, e *launch.Executor, program, anchor string) error {
	if err := stopped(ctx, e); err != nil {
		return err
	}
	err := l.createOnce(ctx, e, program, anchor)
	if cerrdefs.IsNotFound(err) && l.image(e) == l.base.tag {
		// Somebody pruned the images since we looked.
		if err := l.needBase(ctx, true); err != nil {
			return err
		}
		err = l.createOnce(ctx, e, program, anchor)
	}
	if err != nil {
		return l.engineError("create", err).At(l.where(e))
	}
	return nil
}

func (l *Launcher) createOnce(ctx context.Context, e *launch.Executor, program, anchor string) error {
	ctx, cancel := call(ctx)
	defer cancel()
	var attach *network.NetworkingConfig
	if e.Network != "" {
		attach = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
			l.networkName(e.Network): {Aliases: append([]string{e.ID}, e.Names...)},
		}}
	}
	walls := l.hostConfig(e, program)
	l.join(e, walls, anchor)
	_, err := l.engine.ContainerCreate(ctx, l.config(e), walls, attach, nil, l.container(e.ID))
	return err
}

// stopped is the error of an executor that is no longer wanted.
func stopped(ctx context.Context, e *launch.Executor) error {
	if ctx.Err() == nil {
		return nil
	}
	kind := core.Cancelled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		kind = core.TimedOut
	}
	return (&core.Error{Kind: kind, What: "the start was given up", Err: context.Cause(ctx)}).At("executor " + e.ID)
}

// check refuses what could not work, or would pierce the wall, before
// anything is made.
func (l *Launcher) check(e *launch.Executor) error {
	if err := e.CheckOn(l.node.ID); err != nil {
		return err
	}
	if e.Memory > 0 && e.Memory < 6<<20 {
		return core.Errorf(core.Invalid, "memory %s is less than the 6Mi an engine accepts", e.Memory).At(l.where(e))
	}
	if err := checkInit(e); err != nil {
		return err.At(l.where(e))
	}
	for _, path := range e.ReadOnly {
		if err := l.checkReadOnly(path); err != nil {
			return err.At(l.where(e))
		}
	}
	for _, v := range e.Volumes {
		if err := checkVolume(v.Path); err != nil {
			return err.At(l.where(e))
		}
	}
	for name, path := range e.Files {
		if !l.mayRead(path) {
			return unreadable(path, l.uid).At(l.where(e) + " file " + name)
		}
	}
	return nil
}

// checkInit refuses an init binary that the built-in image cannot start: it
// holds no dynamic linker, and the kernel's own word for that is "no such file".
func checkInit(e *launch.Executor) *core.Error {
	if e.Image != "" || showsUserland(e) {
		return nil
	}
	needs := binary.Interpreter(e.Binary)
	if needs == "" {
		return nil
	}
	name := e.Binary
	if name == "" {
		name = "this capstan"
	}
	return core.Errorf(core.Invalid, "%s cannot start in the built-in image: it needs %s, which is not there", name, needs).
		Do("build it with CGO_ENABLED=0, or give the gang image: host")
}

// checkVolume refuses a place where a volume would cover what the container
// lives on.
func checkVolume(path string) *core.Error {
	for _, taken := range []string{"/proc", "/sys", "/dev", launch.SharedPath, launch.ShmPath, launch.ScratchPath, launch.FilesPath, launch.BinaryPath} {
		if within(path, taken) || within(taken, path) {
			return core.Errorf(core.Invalid, "a volume at %s would cover the container's own %s", path, taken).Do("choose another path, such as /data")
		}
	}
	return nil
}

func (l *Launcher) checkReadOnly(path string) *core.Error {
	for _, taken := range []string{"/proc", "/sys", "/dev", "/capstan"} {
		if within(path, taken) {
			return core.Errorf(core.Invalid, "read-only path %s would cover the container's own %s", path, taken)
		}
	}
	if path == "/" {
		return core.Errorf(core.Invalid, "read-only path / is the whole machine").Do("name the folders the job reads")
	}
	if socket, ok := l.engineSocket(); ok {
		if real, err := filepath.EvalSymlinks(path); err == nil && within(socket, real) {
			return core.Errorf(core.Denied, "read-only path %s holds the engine's socket, which is root on this machine", path)
		}
	}
	if !l.mayRead(path) {
		return unreadable(path, l.uid)
	}
	return nil
}

func unreadable(path string, uid int) *core.Error {
	return core.Errorf(core.Denied, "%s is not readable by the executors' user %d", path, uid).
		Do("chmod -R o+rX " + path)
}

// mayRead reports whether the executors' user can read path once it is
// mounted: what lies above it does not matter then.
func (l *Launcher) mayRead(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return true // its absence is another error
	}
	need := os.FileMode(0o4)
	if info.IsDir() {
		need = 0o5
	}
	mode := info.Mode().Perm()
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		switch {
		case int(st.Uid) == l.uid:
			mode >>= 6
		case int(st.Gid) == l.gid:
			mode >>= 3
		}
	}
	return mode&need == need
}

// engineSocket is the real path of the engine's socket.
func (l *Launcher) engineSocket() (string, bool) {
	socket, ok := strings.CutPrefix(l.engine.DaemonHost(), "unix://")
	if !ok {
		return "", false
	}
	real, err := filepath.EvalSymlinks(socket)
	return real, err == nil
}

// within reports whether path is dir or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

func (l *Launcher) makeScratch(e *launch.Executor) error {
	dir := l.scratch(e.ID)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if len(e.Names) > 0 {
		hosts := filepath.Join(dir, launch.HostsFile)
		if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost\n"), 0o644); err != nil {
			return err
		}
		if err := os.Chown(hosts, l.uid, l.gid); err != nil {
			return err
		}
	}
	return os.Chown(dir, l.uid, l.gid)
}

func (l *Launcher) where(e *launch.Executor) string { return e.Where(l.node.ID) }

// engineError gives an engine's error to a user: what we asked of it, what it
// said, what to do.
func (l *Launcher) engineError(verb string, err error) *core.Error {
	e := &core.Error{Kind: core.Internal, What: "the Docker engine did not " + verb, Err: err}
	switch {
	case client.IsErrConnectionFailed(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ECONNREFUSED):
		e.Kind = core.HostLost
		return e.Do("see whether the engine is well: docker info")
	case strings.Contains(err.Error(), "no space left on device"):
		return e.Do("free space on the engine's disk: docker system df")
	case cerrdefs.IsInvalidArgument(err):
		e.Kind = core.Invalid
		return e.Do("change what the message names")
	}
	return e.Do("read the engine's log: journalctl -u docker")
}
