package mpiexec

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/spec"
)

// Site is where a line is typed, and what the host has.
type Site struct {
	Dir      string         // absolute
	Environ  []string       // "NAME=value"
	Launcher string         // of the host
	Node     core.Resources // its largest node
	Console  *spec.Console  // where ranks' output is taken; nil: nowhere
}

// document is the form that is submitted.
type document struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Gang       map[string]any `json:"gang"`
	Spec       spec.Body      `json:"spec"`
}

// Document is the MPI document that a line asks for.
func (l *Line) Document(s Site) ([]byte, error) {
	d := document{APIVersion: "capstan/v1", Kind: spec.Kind, Metadata: map[string]any{}, Gang: map[string]any{}}
	ranks := 0
	for _, p := range l.Programs {
		ranks += p.Ranks
		d.Spec.Programs = append(d.Spec.Programs, l.part(p, s))
	}
	ppn := l.PPN
	if ppn == 0 || ppn > ranks {
		ppn = ranks // law X3
	}
	layout, err := spec.Lay(ranks, ppn, 0)
	if err == nil {
		err = l.settle(&d)
	}
	if err != nil {
		return nil, err
	}
	if len(d.Spec.Programs) == 1 {
		p := d.Spec.Programs[0]
		d.Spec.Ranks, d.Spec.Command, d.Spec.Env, d.Spec.Workdir, d.Spec.Programs = p.Ranks, p.Command, p.Env, p.Workdir, nil
	}
	d.Spec.PPN, d.Spec.Label, d.Spec.Bind, d.Spec.Console = ppn, l.Label, l.Bind, s.Console
	d.Spec.Files = l.files(s)
	d.Spec.Launcher = cmp.Or(l.Settings["mpi"], library(s.Dir, l.Programs[0].Argv[0]))
	if s.Launcher == "process" {
		d.Spec.Cwd = s.Dir
	}
	d.Metadata["name"] = cmp.Or(l.Settings["name"], nameOf(l.Programs[0].Argv[0]))
	l.gang(d.Gang, layout, s.Node)
	return json.Marshal(d)
}

// gang asks for what the ranks take, as far as there is so much.
func (l *Line) gang(g map[string]any, layout spec.Layout, node core.Resources) {
	g["size"] = layout.Executors
	cpu := core.MilliCPU(layout.PPN) * 1000
	memory := core.Bytes(layout.PPN) * 256 << 20
	if node.CPU > 0 {
		cpu = max(100, min(cpu, node.CPU/core.MilliCPU(layout.Executors)))
		memory = min(memory, node.Memory/2/core.Bytes(layout.Executors))
	}
	g["cpu"] = cpu.String()
	g["memory"] = max(memory, 64<<20).String()
	for _, name := range []string{"cpu", "memory", "image"} {
		if v := l.Settings[name]; v != "" {
			g[name] = v
		}
	}
	if l.Settings["network"] != "" {
		g["network"] = true
	}
}

// settle writes the options that stand in the document.
func (l *Line) settle(d *document) error {
	for _, name := range []string{"queue", "walltime"} {
		if v := l.Settings[name]; v != "" {
			d.Metadata[name] = v
		}
	}
	d.Spec.Failure = l.Settings["failure"]
	d.Spec.Checkpoint.Path = l.Settings["checkpoint"]
	if v := l.Settings["restarts"]; v != "" {
		if err := number(&d.Spec.Restarts, v); err != nil {
			return core.Errorf(core.Invalid, "option --restarts: %v", err)
		}
	}
	if v := l.Settings["finalize-grace"]; v != "" {
		grace, err := time.ParseDuration(v)
		if err != nil || grace <= 0 {
			return core.Errorf(core.Invalid, "option --finalize-grace: %q is no time such as 5s", v)
		}
		d.Spec.FinalizeGrace = core.Duration(grace)
	}
	return nil
}

// part is a program of the document.
func (l *Line) part(p Program, s Site) spec.Program {
	in := l.Inherit
	if p.Inherit != nil {
		in = *p.Inherit
	}
	env := inherited(s, in)
	maps.Copy(env, l.Env)
	maps.Copy(env, p.Env)
	dir := p.Dir
	if dir != "" && !filepath.IsAbs(dir) {
		dir = filepath.Join(s.Dir, dir)
	}
	return spec.Program{Ranks: p.Ranks, Command: l.command(p, s), Env: env, Workdir: dir}
}

// command is the program's, its name as the document ships it: one that lies in
// the folder of the line needs no ./ if no folder of PATH has it. Where ranks are
// processes of this machine it runs where it lies: a copy of it elsewhere would
// not find what it looks for beside it, as the Python of a virtual environment
// does.
func (l *Line) command(p Program, s Site) []string {
	argv := slices.Clone(p.Argv)
	if !strings.Contains(argv[0], "/") && regular(filepath.Join(s.Dir, argv[0])) && !found(argv[0], s.Environ) {
		argv[0] = "./" + argv[0]
	}
	if path := absolute(s.Dir, argv[0]); s.Launcher == "process" && strings.Contains(argv[0], "/") && regular(path) && !strings.Contains(path, "=") {
		return append([]string{"env", path}, argv[1:]...) // as a bare name: the file is not shipped
	}
	return argv
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// found reports whether a folder of PATH has a program.
func found(name string, environ []string) bool {
	for _, v := range environ {
		if list, ok := strings.CutPrefix(v, "PATH="); ok {
			return slices.ContainsFunc(filepath.SplitList(list), func(dir string) bool { return regular(filepath.Join(dir, name)) })
		}
	}
	return false
}

func regular(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular()
}

// files are what the arguments name, where ranks do not run in that folder.
func (l *Line) files(s Site) []string {
	if s.Launcher == "process" {
		return nil
	}
	var list []string
	for _, p := range l.Programs {
		if p.Dir != "" {
			continue
		}
		for _, arg := range p.Argv[1:] {
			arg = strings.TrimPrefix(arg, "./")
			if arg != "" && arg == filepath.Base(arg) && regular(filepath.Join(s.Dir, arg)) && !slices.Contains(list, "./"+arg) {
				list = append(list, "./"+arg)
			}
		}
	}
	return list
}

// nameOf makes a job's name of a program's.
func nameOf(program string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, strings.TrimSuffix(filepath.Base(program), filepath.Ext(program)))
	name = strings.Trim(name, "-")
	return cmp.Or(name[:min(len(name), 40)], "mpi")
}
