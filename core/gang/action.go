package gang

import (
	"fmt"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// Result is what a step asks for. The receiver owns it.
type Result struct {
	// Actions are to be carried out in order (law G7).
	Actions []Action
	// Explanations say why the gang of the event waits, if it does. Ask
	// Scheduler.Why for the others.
	Explanations []Explanation
}

// Action is something the host has to do: one of the types below. Its String
// is one line without a newline.
type Action interface {
	fmt.Stringer
	action()
}

// Grant gives a gang its nodes: start the executors and answer with Started or
// StartFailed.
type Grant struct {
	Gang  ID
	Lease uint64
	Nodes []core.NodeID // by rank
}

// Revoke takes back all a gang holds: stop its executors. Unless a Refuse
// follows or the gang was cancelled, it waits again.
type Revoke struct {
	Gang   ID
	Lease  uint64
	Reason string
}

// Refuse says that a gang will not run. It is forgotten.
type Refuse struct {
	Gang   ID
	Kind   core.ErrKind // Unplaceable, Invalid, or Failed after too many starts
	Why    string       // "gang of 16 x (1 cpu, 512Mi memory) is larger than the cluster (2 cpu, 23Gi memory on 1 node)"
	Remedy string       // "size 2 would fit, or size 16 with cpu 125m"; may be empty
}

// Err is the refusal as the error the user sees.
func (r Refuse) Err() *core.Error {
	return &core.Error{Kind: r.Kind, What: r.Why, Remedy: r.Remedy}
}

// Expire says that a gang's walltime is over: end it, and send Release when it
// is gone. It comes once.
type Expire struct {
	Gang  ID
	Lease uint64
}

// Replace gives a lost rank a new node under the gang's lease.
type Replace struct {
	Gang  ID
	Lease uint64
	Rank  int
	Node  core.NodeID
}

// Lost names the ranks a running gang lost with a node. To have them replaced
// send MemberReplace.
type Lost struct {
	Gang  ID
	Lease uint64
	Ranks []int
	Node  core.NodeID
}

func (Grant) action()   {}
func (Revoke) action()  {}
func (Refuse) action()  {}
func (Expire) action()  {}
func (Replace) action() {}
func (Lost) action()    {}

func (a Grant) String() string {
	return fmt.Sprintf("grant %s lease %d: %s", a.Gang, a.Lease, ranks(a.Nodes, nil))
}

func (a Revoke) String() string {
	return fmt.Sprintf("revoke %s lease %d: %s", a.Gang, a.Lease, a.Reason)
}

func (a Refuse) String() string {
	s := fmt.Sprintf("refuse %s (%s): %s", a.Gang, a.Kind, a.Why)
	if a.Remedy != "" {
		s += "; " + a.Remedy
	}
	return s
}

func (a Expire) String() string {
	return fmt.Sprintf("expire %s lease %d", a.Gang, a.Lease)
}

func (a Replace) String() string {
	return fmt.Sprintf("replace %s lease %d: %d→%s", a.Gang, a.Lease, a.Rank, a.Node)
}

func (a Lost) String() string {
	return fmt.Sprintf("lost %s lease %d on %s: %v", a.Gang, a.Lease, a.Node, a.Ranks)
}

// ranks writes a placement in runs: "0-2→a 3→b", with a cross for a hole.
func ranks(nodes []core.NodeID, hole []bool) string {
	at := func(i int) string {
		if hole != nil && hole[i] {
			return "✗"
		}
		return string(nodes[i])
	}
	var b strings.Builder
	for i := 0; i < len(nodes); {
		j := i
		for j+1 < len(nodes) && at(j+1) == at(i) {
			j++
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		if i == j {
			fmt.Fprintf(&b, "%d→%s", i, at(i))
		} else {
			fmt.Fprintf(&b, "%d-%d→%s", i, j, at(i))
		}
		i = j + 1
	}
	return b.String()
}
