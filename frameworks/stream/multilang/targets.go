package multilang

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/capstan-run/capstan/frameworks/stream/operator"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// run is so many emits in a row that go to one task, where a grouping leaves the
// choice: they travel as one batch.
const runLength = 32

// targets answers a process which tasks its emits go to.
type targets struct {
	edges  [][]target // by output
	groups int
	count  int // of emits whose task was told
	// ahead is the output whose tasks are known without the values; -1: there is
	// none, or several that might be meant.
	ahead int
}

// target is a reader of a stream.
type target struct {
	kind   topology.GroupingKind
	tasks  []int
	fields []int
	types  []topology.Field
}

func newTargets(m operator.Make) *targets {
	t := &targets{edges: make([][]target, len(m.Task.Component.Outputs)), groups: m.Groups, ahead: -1}
	tasks := map[string][]int{}
	for _, task := range m.Topology.Tasks() {
		tasks[task.Component.ID] = append(tasks[task.Component.ID], task.ID)
	}
	open, valued := 0, false
	for i, o := range m.Task.Component.Outputs {
		for _, e := range m.Topology.Edges {
			if e.From != m.Task.Component.ID || e.Stream != o.Stream {
				continue
			}
			to := target{kind: e.Grouping.Kind, tasks: tasks[e.To], types: o.Fields}
			for _, name := range e.Grouping.Fields {
				to.fields = append(to.fields, topology.Index(o.Fields, name))
			}
			t.edges[i] = append(t.edges[i], to)
			valued = valued || len(to.fields) > 0 && len(to.tasks) > 1
		}
		if !o.Direct {
			open, t.ahead = open+1, i
		}
	}
	if open != 1 || valued {
		t.ahead = -1
	}
	return t
}

// pin is the choice for the next emit whose tasks are told.
func (t *targets) pin(n int) int { return n / runLength }

// of lists the tasks that a tuple goes to, with a pin.
func (t *targets) of(out, pin int, tuple []json.RawMessage) ([]int, error) {
	ids := []int{}
	for _, e := range t.edges[out] {
		switch n := len(e.tasks); {
		case e.kind == topology.All:
			ids = append(ids, e.tasks...)
		case n == 1 || e.kind == topology.Global:
			ids = append(ids, e.tasks[0])
		case len(e.fields) > 0:
			at, err := e.keyed(t.groups, pin, tuple)
			if err != nil {
				return nil, err
			}
			ids = append(ids, e.tasks[at])
		case e.kind == topology.Direct:
		default:
			ids = append(ids, e.tasks[pin%n])
		}
	}
	return ids, nil
}

// direct is the pin of an emit to a task by its id.
func (t *targets) direct(out int, task string) (int, error) {
	for _, e := range t.edges[out] {
		for i, id := range e.tasks {
			if strconv.Itoa(id) == task {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("%w: it emitted to task %q, which does not read the stream", errProtocol, task)
}

// keyed is the reader's task by the tuple's fields, as the engine deals it out.
func (e *target) keyed(groups, pin int, tuple []json.RawMessage) (int, error) {
	rec, err := rows(topology.Schema(e.types), e.types, [][]json.RawMessage{tuple})
	if err != nil {
		return 0, err
	}
	defer rec.Release()
	var hash [1]uint64
	if err := partition.HashColumns(rec, e.fields, hash[:]); err != nil {
		return 0, err
	}
	n := len(e.tasks)
	if e.kind == topology.PartialKey && pin%2 == 1 {
		return int(hash[0] % uint64(n)), nil
	}
	return topology.TaskOf(partition.Of(hash[0], groups), groups, n), nil
}
