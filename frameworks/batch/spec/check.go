package spec

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
)

// Signals are the names a task may be told with.
var Signals = []string{"TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "CONT", "ALRM", "URG", "XCPU"}

// Check finds every fault of a document that its schema lets pass.
func Check(s *core.Spec) []core.Diagnostic {
	b, err := Parse(s.Body)
	if err != nil {
		return []core.Diagnostic{{Path: "spec", Message: err.Error()}}
	}
	c := checker{spec: s, body: b}
	c.command()
	c.streams()
	c.tries()
	c.size()
	return c.found
}

// size refuses elastic gangs: a task cannot move to another rank, and a script
// that has read its host file does not learn of a change.
func (c *checker) size() {
	g := c.spec.Gang
	if g.Min > 0 && g.Min != g.Size || g.Max > 0 && g.Max != g.Size {
		c.fault("gang", "leave out min and max, and set size", "a Batch gang does not change its size")
	}
	for i, r := range g.Roles {
		if r.Min > 0 && r.Min != r.Size || r.Max > 0 && r.Max != r.Size {
			c.fault(fmt.Sprintf("gang.roles.%d", i), "leave out min and max, and set size", "a Batch gang does not change its size")
		}
	}
}

type checker struct {
	spec  *core.Spec
	body  *Body
	found []core.Diagnostic
}

func (c *checker) fault(path, remedy, format string, args ...any) {
	c.found = append(c.found, core.Diagnostic{Path: path, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (c *checker) command() {
	b := c.body
	switch {
	case len(b.Command) > 0 && b.Script != "":
		c.fault("spec.script", "keep one of them", "the job has a command and a script")
	case len(b.Command) == 0 && b.Script == "":
		c.fault("spec", "name a program in command, or write a script", "the job has neither a command nor a script")
	}
	if len(b.Command) > 0 && b.Command[0] == "" {
		c.fault("spec.command", "name a program", "the command is empty")
	}
	if b.Script != "" {
		if _, ok := b.Interpreter(); !ok {
			c.fault("spec.script", `begin it with #! and its interpreter, such as "#!/bin/sh"`, "the script does not say what runs it")
		}
		if strings.Contains(b.Script, "\r\n") {
			c.fault("spec.script", "save it with Unix line ends", "the script's lines end in carriage returns")
		}
	}
	if b.Script == "" {
		if len(b.Args) > 0 {
			c.fault("spec.args", "put them behind the program in command", "args are those of a script")
		}
		if b.Shell != "" {
			c.fault("spec.shell", "put it first in command", "shell runs a script")
		}
	}
	if b.Workdir != "" && !path.IsAbs(b.Workdir) {
		c.fault("spec.workdir", "name it from the root: /…", "%q is no absolute path", b.Workdir)
	}
	seen := map[string]bool{}
	for i, f := range b.Files {
		base := path.Base(f)
		if a, ok := artifact.Parse(f); ok {
			base = a.Base
		}
		if seen[base] {
			c.fault(fmt.Sprintf("spec.files.%d", i), "rename one of them", "two files are called %s", base)
		}
		seen[base] = true
	}
}

func (c *checker) streams() {
	b := c.body
	if in := b.Stdin; in != "" && !strings.HasPrefix(in, "s3://") && !strings.Contains(in, "/") {
		c.fault("spec.stdin", "write ./"+in+" for a file beside the document", "%q is neither a path nor s3://bucket/key", in)
	}
	for _, s := range []struct{ path, to string }{{"spec.stdout", b.Stdout}, {"spec.stderr", b.Stderr}} {
		c.stream(s.path, s.to)
	}
}

// stream checks where a stream goes (law S2).
func (c *checker) stream(place, to string) {
	key, stored := strings.CutPrefix(to, "s3://")
	switch {
	case to == "":
		return
	case stored:
		bucket, object, _ := strings.Cut(key, "/")
		if bucket == "" || object == "" || strings.Contains(bucket, "%") {
			c.fault(place, "such as s3://results/%j.out", "%q does not name a bucket and a key", to)
		}
	case !path.IsAbs(to):
		c.fault(place, "name it from the root, such as /data/%j.out, or s3://bucket/key", "%q is neither an absolute path nor s3://", to)
	case strings.HasSuffix(to, "/"):
		c.fault(place, "add a file name, such as %j.out", "%q is a folder", to)
	}
	have := Letters(to)
	if c.spec.Metadata.Array != "" && !strings.ContainsAny(have, "ajJ") {
		c.fault(place, "put %a, the index, into the name", "all elements of the array would write to %s", to)
	}
	if !c.body.ByGang() && c.spec.Gang.Size > 1 && !strings.ContainsAny(have, "tn") {
		c.fault(place, "put %t, the rank, into the name", "all %d ranks would write to %s", c.spec.Gang.Size, to)
	}
}

func (c *checker) tries() {
	b := c.body
	if !slices.Contains(Signals, b.Signal.Name) {
		c.fault("spec.signal.name", "one of "+strings.Join(Signals, ", "), "no task can be told with signal %q", b.Signal.Name)
	}
	if b.Signal.Before > 0 && c.spec.Metadata.Walltime == 0 {
		c.fault("spec.signal.before", "set metadata.walltime", "without a walltime nothing says when the end is near")
	}
	if len(b.RetryOn) > 0 && b.Retries == 0 {
		c.fault("spec.retryOn", "set spec.retries to the number of further tries", "no task is tried again")
	}
	for _, code := range b.RetryOn {
		if b.Succeeds(code) {
			c.fault("spec.retryOn", "keep it in one of the lists", "exit code %d is both a success and worth another try", code)
		}
	}
}
