package mpiexec

import (
	"fmt"
	"strings"
)

// table has the options of MPICH's mpiexec, those of Open MPI's that people type by
// habit, and Capstan's own.
func table() map[string]option {
	t := map[string]option{}
	def := func(names string, values int, set func(*Line, *Program, []string) error) {
		for name := range strings.SplitSeq(names, " ") {
			t[name] = option{values: values, set: set}
		}
	}
	def("n np c", 1, func(_ *Line, p *Program, v []string) error { return number(&p.Ranks, v[0]) })
	def("ppn perhost ranks-per-proc N npernode", 1, func(l *Line, _ *Program, v []string) error { return number(&l.PPN, v[0]) })
	def("wdir wd dir", 1, func(_ *Line, p *Program, v []string) error { p.Dir = v[0]; return nil })
	def("configfile", 1, func(l *Line, _ *Program, v []string) error { return l.file(v[0]) })
	def("l prepend-rank tag-output label", 0, func(l *Line, _ *Program, _ []string) error { l.Label = true; return nil })
	def("s stdin", 1, stdin)
	def("h help", 0, func(l *Line, _ *Program, _ []string) error { l.Help = true; return nil })
	def("V version", 0, func(l *Line, _ *Program, _ []string) error { l.Version = true; return nil })
	def("bind-to", 1, bind)
	environment(def)
	nothing := func(*Line, *Program, []string) error { return nil } // it is so anyway
	def("oversubscribe allow-run-as-root", 0, nothing)
	for _, name := range settings {
		def(name, 1, func(l *Line, _ *Program, v []string) error { l.Settings[name] = v[0]; return nil })
	}
	for _, name := range switches {
		def(name, 0, func(l *Line, _ *Program, _ []string) error { l.Settings[name] = "true"; return nil })
	}
	refuse(t)
	return t
}

// settings are options that stand in the document.
var settings = []string{"state", "launcher", "memory", "cpu", "image", "queue", "name", "failure", "restarts", "checkpoint", "finalize-grace", "walltime", "mpi"}

var switches = []string{"network", "quiet"}

// environment defines what programs find in theirs.
func environment(def func(string, int, func(*Line, *Program, []string) error)) {
	def("env", 2, func(_ *Line, p *Program, v []string) error { p.Env[v[0]] = v[1]; return nil })
	def("genv", 2, func(l *Line, _ *Program, v []string) error { l.Env[v[0]] = v[1]; return nil })
	def("x", 1, func(l *Line, _ *Program, v []string) error {
		name, value, has := strings.Cut(v[0], "=")
		if !has {
			l.Inherit.List = append(l.Inherit.List, name)
			return nil
		}
		l.Env[name] = value
		return nil
	})
	def("genvall", 0, func(l *Line, _ *Program, _ []string) error { l.Inherit.All = true; return nil })
	def("genvnone", 0, func(l *Line, _ *Program, _ []string) error { l.Inherit.None = true; return nil })
	def("genvlist", 1, func(l *Line, _ *Program, v []string) error {
		l.Inherit = inherit{None: true, List: strings.Split(v[0], ",")}
		return nil
	})
	def("envall", 0, func(_ *Line, p *Program, _ []string) error { p.Inherit = &inherit{All: true}; return nil })
	def("envnone", 0, func(_ *Line, p *Program, _ []string) error { p.Inherit = &inherit{None: true}; return nil })
	def("envlist", 1, func(_ *Line, p *Program, v []string) error {
		p.Inherit = &inherit{None: true, List: strings.Split(v[0], ",")}
		return nil
	})
}

func stdin(_ *Line, _ *Program, v []string) error {
	if v[0] != "0" {
		return fmt.Errorf("standard input goes to rank 0, not to %q", v[0])
	}
	return nil
}

func bind(l *Line, _ *Program, v []string) error {
	switch v[0] {
	case "none", "core":
		l.Bind = v[0]
		return nil
	case "hwthread", "numa", "socket":
		return fmt.Errorf("ranks are bound to cores or not at all, not to a %s", v[0])
	}
	return fmt.Errorf("%q is neither core nor none", v[0])
}

// refuse defines the options that are known and cannot be honoured (law X1).
func refuse(t map[string]option) {
	for name := range strings.SplitSeq("host hosts H f hostfile machinefile machine hostlist", " ") {
		t[name] = option{refused: "the host's scheduler chooses where ranks run", remedy: "say how many belong together with -ppn; CAPSTAN_HOST names the host that runs the job"}
	}
	for name := range strings.SplitSeq("launcher-exec rmk bootstrap iface", " ") {
		t[name] = option{refused: "ranks are started by Capstan's executors", remedy: "leave it out"}
	}
	t["map-by"] = option{refused: "ranks are dealt out in their order, so many to an executor", remedy: "say how many with -ppn"}
	t["mca"] = option{refused: "it is for Open MPI's own launcher", remedy: "see `capstan help mpi` for programs built with Open MPI"}
	t["gdb"] = option{refused: "ranks have no terminal", remedy: "attach a debugger to a rank's process on its node"}
}
