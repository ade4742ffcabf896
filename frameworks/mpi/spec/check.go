package spec

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Check finds every fault of a document that its schema lets pass.
func Check(s *core.Spec) []core.Diagnostic {
	b, err := Parse(s.Body)
	if err != nil {
		return []core.Diagnostic{{Path: "spec", Message: err.Error()}}
	}
	c := checker{spec: s, body: b}
	c.programs()
	c.size()
	c.places()
	c.launcher()
	c.found = append(c.found, b.Shipped().Clashes()...)
	return c.found
}

type checker struct {
	spec  *core.Spec
	body  *Body
	found []core.Diagnostic
}

func (c *checker) fault(path, remedy, format string, args ...any) {
	c.found = append(c.found, core.Diagnostic{Path: path, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (c *checker) programs() {
	b := c.body
	switch {
	case len(b.Command) > 0 && len(b.Programs) > 0:
		c.fault("spec.programs", "make the command one of the programs", "the job has a command and programs")
	case len(b.Command) == 0 && len(b.Programs) == 0:
		c.fault("spec", "name a program in command", "the job has no program")
	case len(b.Programs) > 0 && b.Ranks > 0:
		c.fault("spec.ranks", "leave it out", "each of the programs says how many ranks it has")
	}
}

// size refuses elastic gangs, roles and arrays: a world of MPI has one size for
// its life, and the same share for each rank.
func (c *checker) size() {
	g := c.spec.Gang
	if g.Min > 0 && g.Min != g.Size || g.Max > 0 && g.Max != g.Size {
		c.fault("gang", "leave out min and max, and set size", "an MPI gang does not change its size")
	}
	if len(g.Roles) > 0 {
		c.fault("gang.roles", "leave them out: spec.programs are the parts of a world", "an MPI gang has no roles")
	}
	if c.spec.Metadata.Array != "" {
		c.fault("metadata.array", "submit the document once for each element", "an MPI job is one world, not an array")
	}
	if _, err := c.body.Layout(g.Size); err != nil {
		e := core.AsError(err)
		c.fault(e.Where, e.Remedy, "%s", e.What)
	}
}

func (c *checker) places() {
	b := c.body
	absolute := func(place, dir string) {
		if dir != "" && !path.IsAbs(dir) {
			c.fault(place, "name it from the root: /…", "%q is no absolute path", dir)
		}
	}
	absolute("spec.workdir", b.Workdir)
	absolute("spec.cwd", b.Cwd)
	for i, p := range b.Programs {
		absolute(fmt.Sprintf("spec.programs.%d.workdir", i), p.Workdir)
	}
	if in := b.Stdin; in != "" && !strings.Contains(in, "/") {
		c.fault("spec.stdin", "write ./"+in+" for a file beside the document", "%q is no path", in)
	}
	if p := b.Checkpoint.Path; p != "" && !filepath.IsLocal(p) {
		c.fault("spec.checkpoint.path", "name a folder below the working directory, such as ckpt", "%q leads out of the working directory", p)
	}
	if b.Console != nil && !path.IsAbs(b.Console.Socket) {
		c.fault("spec.console.socket", "leave it out: mpiexec sets it", "%q is no absolute path", b.Console.Socket)
	}
}

// launcher refuses what a foreign launcher is not told.
func (c *checker) launcher() {
	b := c.body
	if !b.Foreign() {
		return
	}
	if b.Failure == Continue {
		c.fault("spec.failure", "say abort or restart", "%s ends all ranks when one is lost", b.Launcher)
	}
	if b.Launcher == Chapel && len(b.Programs) > 0 {
		c.fault("spec.programs", "name it in spec.command", "a Chapel job is one program")
	}
	for i, p := range b.Programs {
		if first := b.Programs[0]; !maps.Equal(p.Env, first.Env) || p.Workdir != first.Workdir {
			c.fault(fmt.Sprintf("spec.programs.%d", i), "set spec.env and spec.workdir, for all", "%s gives all programs the same environment and folder", b.Launcher)
		}
	}
}
