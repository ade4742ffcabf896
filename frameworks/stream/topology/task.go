package topology

// Task is one of a component's, within a topology that was bound.
type Task struct {
	ID        int // law G4
	Component *Component
	Index     int // among the component's, from 0
}

// Tasks lists the tasks of t, by id.
func (t *Topology) Tasks() []Task {
	var list []Task
	for i := range t.Components {
		for n := range t.Components[i].Tasks {
			list = append(list, Task{ID: len(list) + 1, Component: &t.Components[i], Index: n})
		}
	}
	return list
}

// Range is the key groups of a component's task: from first until end.
func (t Task) Range(groups int) (first, end int) {
	n := t.Component.Tasks
	return t.Index * groups / n, (t.Index + 1) * groups / n
}

// TaskOf is which of n tasks a key group of so many belongs to: the inverse of
// Range.
func TaskOf(group, groups, n int) int { return ((group+1)*n - 1) / groups }
