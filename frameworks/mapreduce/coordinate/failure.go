package coordinate

import (
	"fmt"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
)

// name is the task as people say it: "map 7", or "reduce 16-23" of one that
// takes several partitions.
func (i *item) name() string {
	if i.phase == task.Reduce && i.hi > i.lo+1 {
		return fmt.Sprintf("%s %d-%d", i.phase, i.lo, i.hi-1)
	}
	return fmt.Sprintf("%s %d", i.phase, i.id.Index)
}

// failure is the error that ends the job: the last one of its task, with task,
// rank and place.
func (m *Machine) failure(t *try, e core.Error, fatal bool) *core.Error {
	e = task.Flat(&e)
	// A task that timed out or met a file that is gone failed the job; it did not
	// time the job out. A fault of the spec stays one.
	if e.Kind != core.Invalid && e.Kind != core.Denied {
		e.Kind = core.Failed
	}
	if fatal || t.failures == 1 {
		e.What = fmt.Sprintf("%s on rank %d: %s", t.name(), t.rank, e.What)
	} else {
		e.What = fmt.Sprintf("%s failed %d times, last on rank %d: %s", t.name(), t.failures, t.rank, e.What)
	}
	if e.Where == "" || e.Where == t.id.String() {
		e.Where = m.place(t.item)
	}
	return &e
}

// place is the input a task reads, for people.
func (m *Machine) place(i *item) string {
	var at int
	switch i.phase {
	case task.Map:
		at = i.id.Index
	case task.Sample:
		at = m.splitOf(i.id.Index)
	case task.Merge:
		return "spec.combine"
	default:
		return "spec.reduce"
	}
	ranges := m.state.Splits[at].Ranges
	switch len(ranges) {
	case 0:
		return "spec.map"
	case 1:
		r := ranges[0]
		if r.Codec == "" && (r.Offset > 0 || r.Length < r.Size) {
			return fmt.Sprintf("%s, bytes %d to %d", r.URL, r.Offset, r.Offset+r.Length)
		}
		return r.URL
	}
	return fmt.Sprintf("%s and %d more files", ranges[0].URL, len(ranges)-1)
}

func timedOut(t *try, limit time.Duration) core.Error {
	e := core.Error{
		Kind:   core.TimedOut,
		What:   fmt.Sprintf("no progress for %s after %d bytes and %d records", limit, t.at.Bytes, t.at.Records),
		Remedy: "see whether the program hangs; if it only needs long, raise spec.tasks.timeout or report a status",
	}
	if t.at.Status != "" {
		e.Detail = "last status: " + t.at.Status
	}
	return e
}

func died(t *try, reason string) *core.Error {
	return &core.Error{
		Kind:   core.Failed,
		What:   fmt.Sprintf("%s lost its executor %d times, last rank %d: %s", t.name(), t.deaths, t.rank, reason),
		Remedy: "if memory ran out raise gang.memory or lower spec.input.splitSize; else look at `capstan logs` for that rank",
	}
}

func outputLost(i *item, f *task.Failed) *core.Error {
	return &core.Error{
		Kind:   core.Failed,
		What:   fmt.Sprintf("the output of %s was lost %d times", i.name(), i.lost),
		Where:  f.Err.Where,
		Remedy: "look at the disk that holds Capstan's state, or set spec.shuffle.durability: s3-sync",
		Detail: f.Err.Error(),
	}
}

// oneLine is e for a note.
func oneLine(e core.Error) string {
	e.Diagnostics = nil
	text, _, _ := strings.Cut(e.Error(), "\n")
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + "…"
	}
	return text
}
