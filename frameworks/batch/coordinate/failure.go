package coordinate

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/batch/task"
)

// fault is why the end of a try is no success; nil if it is one.
func (m *Machine) fault(g *gang, r int, d *task.Done) *core.Error {
	b := m.cfg.Body
	var what, remedy string
	switch {
	case d.Fault != nil:
		return &core.Error{Kind: kindOf(d.Fault), What: m.who(g, r) + ": " + d.Fault.What, Where: m.place(g, r), Remedy: d.Fault.Remedy, Detail: d.Tail}
	case d.TimedOut:
		what = fmt.Sprintf("took longer than %s", time.Duration(b.Timeout))
		remedy = "see whether it hangs; if it only needs long, raise spec.timeout"
	case d.Signal == int(syscall.SIGKILL):
		what = "was killed by signal 9 (killed)"
		remedy = "it may have run out of memory: raise gang.memory"
	case d.Signal != 0:
		what = fmt.Sprintf("was killed by signal %d (%s)", d.Signal, syscall.Signal(d.Signal))
		remedy = m.logs(g, r, d)
	case !b.Succeeds(d.Code):
		what = fmt.Sprintf("ended with exit status %d", d.Code)
		remedy = m.logs(g, r, d)
	default:
		return nil
	}
	if b.Retries > 0 {
		what += fmt.Sprintf(" (try %d of %d)", g.ranks[r].failures+1, b.Retries+1)
	}
	return &core.Error{Kind: core.Failed, What: m.who(g, r) + " " + what, Where: m.place(g, r), Remedy: remedy, Detail: d.Tail}
}

// expired is why an element ends whose walltime is over.
func (m *Machine) expired(g *gang) *core.Error {
	return core.Errorf(core.Failed, "element %d: its walltime is over", g.index).At(g.name).Do("raise metadata.walltime")
}

// kindOf keeps what tells a user more than that the job failed.
func kindOf(e *core.Error) core.ErrKind {
	switch e.Kind {
	case core.Invalid, core.Denied, core.NotFound:
		return e.Kind
	}
	return core.Failed
}

func (m *Machine) logs(g *gang, r int, d *task.Done) string {
	words := ""
	if d.Tail != "" {
		words = "its last words are below; all of them: "
	}
	if len(g.ranks) == 1 || m.cfg.Body.ByGang() {
		return fmt.Sprintf("%s`capstan logs %s`", words, m.cfg.Job)
	}
	return fmt.Sprintf("%s`capstan logs %s --rank %d`", words, m.cfg.Job, r)
}

// who is a task as people say it.
func (m *Machine) who(g *gang, r int) string {
	var parts []string
	if g.array {
		parts = append(parts, fmt.Sprintf("element %d", g.index))
	}
	if len(g.ranks) > 1 {
		parts = append(parts, fmt.Sprintf("rank %d", r))
	}
	if len(parts) == 0 {
		if m.cfg.Body.Script != "" {
			return "the script"
		}
		return m.cfg.Body.Command[0]
	}
	return strings.Join(parts, ", ")
}

func (m *Machine) place(g *gang, r int) string {
	return fmt.Sprintf("%s, rank %d on %s", g.name, r, g.nodes[r])
}

// elementsFailed is the end of an array of which elements failed; nil if none
// did, or there is no array.
func (m *Machine) elementsFailed() *core.Error {
	n := m.tally.Failed.Len()
	if m.cfg.Array == nil || n == 0 {
		return nil
	}
	e := &core.Error{
		Kind: core.Failed, What: fmt.Sprintf("%d of %d elements failed: %s", n, m.cfg.Array.Len(), list(m.cfg.Array, m.tally.Failed, 200)),
		Where:  fmt.Sprintf("metadata.array %s", m.cfg.Array),
		Remedy: fmt.Sprintf("`capstan logs %s`; submit it again with metadata.array: %q", m.cfg.Job, list(m.cfg.Array, m.tally.Failed, 0)),
	}
	if len(e.Remedy) > 1000 {
		e.Remedy = fmt.Sprintf("`capstan logs %s`", m.cfg.Job)
	}
	if f := m.first; f != nil {
		e.What += "; the first: " + f.What
		e.Detail = f.Detail
	}
	return e
}
