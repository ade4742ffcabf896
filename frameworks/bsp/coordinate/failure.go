package coordinate

import (
	"fmt"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
)

// programError is the error of a rank's program, with rank and superstep.
func (m *Machine) programError(r int, f *task.Ended) *core.Error {
	e := task.Flat(&f.Err)
	if e.Kind != core.Invalid && e.Kind != core.Denied {
		e.Kind = core.Failed
	}
	e.What = fmt.Sprintf("rank %d in superstep %d: %s", r, f.Superstep+1, e.What)
	if e.Where == "" {
		e.Where = "spec.algorithm"
	}
	return &e
}

// outOfMemory is how launchers begin to say why such an executor ended.
const outOfMemory = "out of memory"

// gaveUp is the error of a gang that is lost again and again.
func (m *Machine) gaveUp() *core.Error {
	e := &core.Error{
		Kind:   core.Failed,
		What:   fmt.Sprintf("the gang was repaired %d times and came no further than superstep %d; last: %s", m.cfg.Repairs, m.state.Farthest, m.lastLoss),
		Where:  "spec.repairs",
		Remedy: "look at `capstan logs` for the rank that was lost",
	}
	if strings.HasPrefix(m.lastLoss, outOfMemory) {
		e.Where, e.Remedy = "gang.memory", "raise it, or let the program hold less, and send less in one message"
	}
	return e
}

// oneLine is text for a note.
func oneLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + "…"
	}
	return text
}
