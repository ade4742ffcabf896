package work

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
	"github.com/capstan-run/capstan/frameworks/service/spec"
	"github.com/capstan-run/capstan/frameworks/service/wire"
)

// place is where a copy runs.
type place struct {
	job     core.Rank
	dir     string // the command's working directory
	files   string // of what was shipped
	names   string // the file of the copies that are ready
	hosts   string // the container's /etc/hosts, where it is ours to write
	address string // where the command finds itself
	reached string // where others reach it; "" if nobody does
}

func placeOf(env *core.Env) place {
	p := place{job: env.Rank, dir: env.Scratch, files: env.Files,
		names: filepath.Join(env.Scratch, "names.json"), address: loopback}
	if os.Getpid() != 1 { // no container: it shares the machine's network
		p.reached = loopback
	} else if own := ownAddress(); own != "" {
		p.address, p.reached = own, own
	}
	if hosts := filepath.Join(env.Scratch, "hosts"); p.address != loopback {
		if _, err := os.Stat(hosts); err == nil {
			p.hosts = hosts
		}
	}
	return p
}

const loopback = "127.0.0.1"

// ownAddress is the first address of a container that has a network, "" of another.
func ownAddress() string {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}

// givePorts are the numbers of ports, free ones where none is given. All stay
// open until all are known, so that none comes twice.
func givePorts(ports []spec.Port) ([]int, error) {
	numbers := make([]int, len(ports))
	for i, p := range ports {
		if numbers[i] = p.Port; p.Port != 0 {
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("no free port for %s: %w", p.Name, err)
		}
		defer l.Close()
		numbers[i] = l.Addr().(*net.TCPAddr).Port
	}
	return numbers, nil
}

const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environ is the whole environment of a copy's command and of its exec probes.
func (p place) environ(r *wire.Run, ports []int) []string {
	path := os.Getenv("PATH")
	if path == "" {
		path = usualPath
	}
	vars := map[string]string{
		"PATH": path, "HOME": p.dir, "TMPDIR": p.dir, "PWD": p.dir, "LANG": "C.UTF-8",
		"CAPSTAN_JOB": string(p.job.Job), "CAPSTAN_FILES": p.files, "CAPSTAN_NAMES": p.names,
		"SERVICE": r.Service, "COPY": r.Copy, "ORDINAL": strconv.Itoa(r.Ordinal), "VERSION": strconv.Itoa(r.Version),
		"ADDRESS": p.address,
	}
	for _, v := range os.Environ() { // the process launcher's, for shims on its PATH
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "PYENV_") || strings.HasPrefix(name, "LC_") || name == "TZ" {
			vars[name] = value
		}
	}
	for i, n := range ports {
		vars["PORT"+strconv.Itoa(i)] = strconv.Itoa(n)
		vars[r.Body.Ports[i].Variable()] = strconv.Itoa(n)
	}
	for _, v := range r.Body.Volumes {
		vars[v.Variable()] = os.Getenv(v.Variable())
	}
	for k, v := range r.Body.Env {
		vars[k] = v
	}
	list := make([]string, 0, len(vars))
	for k, v := range vars {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}

// link shows the shipped files in the working directory.
func (p place) link(b *spec.Body) error {
	for _, f := range b.Files {
		a, ok := artifact.Parse(f)
		if !ok {
			continue
		}
		err := os.Symlink(filepath.Join(p.files, a.Base), filepath.Join(p.dir, a.Base))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("show %s to the command: %w", a.Base, err)
		}
	}
	return nil
}

// writeNames replaces the file of the ready copies: who reads it sees the old
// or the new one.
func (p place) writeNames(names []wire.Name) error {
	if names == nil {
		names = []wire.Name{}
	}
	b, err := json.MarshalIndent(names, "", "  ")
	if err != nil {
		return err
	}
	tmp := p.names + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, p.names)
}

// writeHosts makes the service's name that of its ready copies. The file is
// mounted by itself, so it cannot be replaced: whoever reads it meanwhile may
// see lines of both.
func (p place) writeHosts(service, self string, names []wire.Name) error {
	if p.hosts == "" {
		return nil
	}
	text := "127.0.0.1 localhost\n::1 localhost\n"
	if self != "" {
		text += p.address + " " + self + "\n"
	}
	for _, n := range names {
		if service != "" {
			text += n.Address + " " + service + "\n"
		}
		if n.Copy != self {
			text += n.Address + " " + n.Copy + "\n"
		}
	}
	f, err := os.OpenFile(p.hosts, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		return err
	}
	return f.Truncate(int64(len(text)))
}
