package docker

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"

	"github.com/capstan-run/capstan/core/launch"
)

const (
	maxOpenFiles = 65536
	tmpBytes     = 64 << 20
	labelNetwork = "capstan.network"
	labelMemory  = "capstan.memory" // the limit in bytes, for the words of an OOM
)

// image is what e's container is made of.
func (l *Launcher) image(e *launch.Executor) string {
	if e.Image == "" || e.Image == "host" {
		return l.base.tag
	}
	return e.Image
}

// showsUserland reports whether e sees the machine's programs.
func showsUserland(e *launch.Executor) bool {
	return e.Image == "host" || e.Image == "" && e.Userland
}

// config says what runs in e's container.
func (l *Launcher) config(e *launch.Executor) *container.Config {
	labels := make(map[string]string, len(e.Labels)+4)
	for k, v := range e.Labels {
		labels[k] = v
	}
	labels[launch.LabelInstance] = l.cfg.Instance
	labels[launch.LabelExecutor] = e.ID
	labels[labelMemory] = strconv.FormatInt(int64(e.Memory), 10)
	if e.Network != "" {
		labels[labelNetwork] = e.Network
	}
	if e.Together != "" {
		labels[labelTogether] = e.Together
	}
	return &container.Config{
		Image:      l.image(e),
		User:       fmt.Sprintf("%d:%d", l.uid, l.gid),
		Entrypoint: []string{launch.BinaryPath},
		Cmd:        e.Init,
		Env:        l.env(e),
		WorkingDir: launch.ScratchPath,
		Labels:     labels,
		// A user's image may bring a check of the program it was made for.
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
	}
}

func (l *Launcher) env(e *launch.Executor) []string {
	inside := launch.Places{Shared: launch.SharedPath, Scratch: launch.ScratchPath, Files: launch.FilesPath}
	if e.Shm != "" {
		inside.Shm = launch.ShmPath
	}
	env := e.Environment(inside, launch.Mark(l.cfg.Instance, e.ID))
	for _, v := range e.Volumes {
		if v.Env != "" {
			env = append(env, v.Env+"="+v.Path)
		}
	}
	switch {
	case showsUserland(e):
		env = append(env, "PATH="+l.host.path)
	case e.Image == "":
		env = append(env, "PATH="+standardPath)
	}
	return env
}

// hostConfig is the wall around e (law D1).
func (l *Launcher) hostConfig(e *launch.Executor, binary string) *container.HostConfig {
	pids := e.PIDs
	if pids == 0 {
		pids = launch.DefaultPIDs
	}
	mode := container.NetworkMode(network.NetworkNone)
	if e.Network != "" {
		mode = container.NetworkMode(l.networkName(e.Network))
	}
	return &container.HostConfig{
		NetworkMode:    mode,
		DNS:            []string{"127.0.0.1"},
		DNSOptions:     []string{"timeout:1", "attempts:2"},
		ReadonlyRootfs: true,
		CapDrop:        []string{"ALL"},
		SecurityOpt:    []string{"no-new-privileges:true"},
		IpcMode:        container.IPCModePrivate,
		ShmSize:        int64(e.Memory), // what is there counts as memory; 0: the engine's default
		RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyDisabled},
		LogConfig: container.LogConfig{Type: "local", Config: map[string]string{
			"max-size": "512k", "max-file": "2", "compress": "false",
		}},
		Tmpfs:  map[string]string{"/tmp": fmt.Sprintf("rw,nosuid,nodev,size=%d,mode=1777", tmpBytes)},
		Mounts: l.mounts(e, binary),
		Resources: container.Resources{
			NanoCPUs:   int64(e.CPU) * 1e6,
			Memory:     int64(e.Memory),
			MemorySwap: int64(e.Memory), // memory and swap together: no swap
			PidsLimit:  &pids,
			Ulimits: []*container.Ulimit{
				{Name: "nofile", Soft: l.files, Hard: l.files},
				{Name: "core", Soft: 0, Hard: 0},
			},
		},
	}
}

func (l *Launcher) mounts(e *launch.Executor, binary string) []mount.Mount {
	ms := []mount.Mount{
		bind(binary, launch.BinaryPath, true),
		bind(e.Shared, launch.SharedPath, false),
		bind(l.scratch(e.ID), launch.ScratchPath, false),
	}
	if e.Shm != "" {
		ms = append(ms, bind(e.Shm, launch.ShmPath, false))
	}
	for name, path := range e.Files {
		ms = append(ms, bind(path, filepath.Join(launch.FilesPath, name), true))
	}
	if showsUserland(e) {
		for _, path := range l.host.mounts {
			ms = append(ms, bind(path, path, true))
		}
	}
	if len(e.Names) > 0 {
		ms = append(ms, bind(filepath.Join(l.scratch(e.ID), launch.HostsFile), "/etc/hosts", false))
	}
	for _, v := range e.Volumes {
		ms = append(ms, bind(v.Dir, v.Path, false))
	}
	for _, path := range e.ReadOnly {
		ms = append(ms, bind(path, path, true))
	}
	return onePerTarget(ms)
}

// onePerTarget drops repetitions, which the engine refuses.
func onePerTarget(ms []mount.Mount) []mount.Mount {
	seen := make(map[string]bool, len(ms))
	return slices.DeleteFunc(ms, func(m mount.Mount) bool {
		again := seen[m.Target]
		seen[m.Target] = true
		return again
	})
}

// openFiles is the limit of open files: the engine may be unable to give more
// than this machine's processes may have.
func openFiles() int64 {
	var own syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &own) != nil {
		return 1024
	}
	return int64(min(maxOpenFiles, own.Max))
}

func bind(from, to string, readOnly bool) mount.Mount {
	return mount.Mount{Type: mount.TypeBind, Source: from, Target: to, ReadOnly: readOnly}
}
