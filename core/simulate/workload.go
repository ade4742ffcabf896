package simulate

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// Job is one gang of a workload. Times are in milliseconds.
type Job struct {
	// Request is what it asks for. Its Walltime is above 0 and its Gang unique.
	Request gang.Request
	Arrive  int64 // Unix time, above 0
	Run     int64 // how long it runs if nobody ends it, at least 0
}

// Width is the CPU of the whole gang.
func (j *Job) Width() int64 { return int64(j.Request.Size) * int64(j.Request.Each.CPU) }

// Holds is how long the job holds what it was granted: its run time, cut at the
// walltime, and at least a millisecond.
func (j *Job) Holds() int64 { return max(1, min(j.Run, j.Request.Walltime)) }

// Machine is the nodes that a workload runs on.
type Machine struct{ Nodes []core.Node }

// Uniform is a machine of so many nodes, each alike and without a place in a
// topology.
func Uniform(nodes int, each core.Resources) Machine {
	var m Machine
	for i := range nodes {
		m.Nodes = append(m.Nodes, core.Node{ID: core.NodeID(fmt.Sprintf("n%05d", i)), Capacity: each})
	}
	return m
}

// Width is the CPU of all nodes.
func (m Machine) Width() int64 {
	var sum int64
	for i := range m.Nodes {
		sum += int64(m.Nodes[i].Capacity.CPU)
	}
	return sum
}

// String is the machine in words: "120 nodes of 2 cpu".
func (m Machine) String() string {
	nodes := fmt.Sprintf("%d nodes", len(m.Nodes))
	if len(m.Nodes) == 1 {
		nodes = "1 node"
	}
	each := m.Nodes[0].Capacity
	switch {
	case slices.ContainsFunc(m.Nodes, func(n core.Node) bool { return n.Capacity != each }):
		return fmt.Sprintf("%s with %s cpu in all", nodes, core.MilliCPU(m.Width()))
	case each.Memory == 0:
		return fmt.Sprintf("%s of %s cpu", nodes, each.CPU)
	}
	return fmt.Sprintf("%s of %s", nodes, each)
}

// Workload is what a simulation replays.
type Workload struct {
	Name    string
	Machine Machine
	Jobs    []Job // by arrival
	Notes   []Note
}

// Note is something about a workload that its reader has to know: records that
// were left out or read in another sense than they say.
type Note struct {
	What  string `json:"what"`  // "no run time is known: left out"
	Count int    `json:"count"` // of the records it is about
	Lines []int  `json:"lines"` // the first few of them
}

// noteLines is how many lines a Note names.
const noteLines = 5

// note counts a record under what.
func (w *Workload) note(what string, line int) {
	i := slices.IndexFunc(w.Notes, func(n Note) bool { return n.What == what })
	if i < 0 {
		i = len(w.Notes)
		w.Notes = append(w.Notes, Note{What: what})
	}
	n := &w.Notes[i]
	n.Count++
	if len(n.Lines) < noteLines {
		n.Lines = append(n.Lines, line)
	}
}

// sort puts the jobs in order of arrival; those of one time keep theirs.
func (w *Workload) sort() {
	slices.SortStableFunc(w.Jobs, func(a, b Job) int { return cmp.Compare(a.Arrive, b.Arrive) })
}

// Source is where a workload comes from: an SWF trace, a model, or the log of
// a scheduler.
type Source interface {
	// Workload reads all of it. The receiver owns it.
	Workload() (*Workload, error)
}
