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
	// Explanations say why the gang of the event waits, if it does, without an
	// estimate of its start. Ask Scheduler.Why for that, and for the others.
	Explanations []Explanation
}

// Action is something the host has to do: one of the types below. Its String
// is one line without a newline.
type Action interface {
	fmt.Stringer
	action()
}

// Grant gives a gang its nodes: start the executors and answer with Started or
// StartFailed. An element of an array is a gang of its own, "job/name[index]".
type Grant struct {
	Gang  ID
	Lease uint64
	Nodes []core.NodeID // by rank; an elastic gang may have fewer than its size
	Roles []int         // by rank, an index into the request's roles; nil without
}

// Grow gives a running elastic gang more ranks, numbered after those it has,
// under its lease.
type Grow struct {
	Gang  ID
	Lease uint64
	First int // the first new rank
	Nodes []core.NodeID
	Roles []int
}

// Shrink asks a running elastic gang to do without some ranks, its last ones:
// give them notice and answer with Shrunk. What is not gone by Until is lost.
type Shrink struct {
	Gang   ID
	Lease  uint64
	Ranks  []int
	Until  int64
	Reason string
}

// GiveWay is notice to a running gang that it will be revoked at Until, so that
// it may write a checkpoint. If it is done earlier, it may release itself.
type GiveWay struct {
	Gang   ID
	Lease  uint64
	Until  int64
	Reason string
}

// Revoke takes back all a gang holds: stop its executors. Unless a Refuse
// follows or the gang was cancelled, it waits again.
type Revoke struct {
	Gang   ID
	Lease  uint64
	Reason string
}

// Refuse says that a gang, or some elements of an array, will not run. It is
// forgotten.
type Refuse struct {
	Gang ID
	// Elements are the indexes of an array that are refused; nil: the gang.
	Elements []core.ArrayRange
	Kind     core.ErrKind // Unplaceable, Invalid, or Failed after too many starts
	Why      string       // "gang of 16 x (1 cpu, 512Mi memory) is larger than the cluster (2 cpu, 23Gi memory on 1 node)"
	Remedy   string       // "size 2 would fit, or size 16 with cpu 125m"; may be empty
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
func (Grow) action()    {}
func (Shrink) action()  {}
func (GiveWay) action() {}
func (Revoke) action()  {}
func (Refuse) action()  {}
func (Expire) action()  {}
func (Replace) action() {}
func (Lost) action()    {}

func (a Grant) String() string {
	return fmt.Sprintf("grant %s lease %d: %s", a.Gang, a.Lease, ranks(a.Nodes, nil))
}

func (a Grow) String() string {
	return fmt.Sprintf("grow %s lease %d from rank %d: %s", a.Gang, a.Lease, a.First, ranks(a.Nodes, nil))
}

func (a Shrink) String() string {
	return fmt.Sprintf("shrink %s lease %d by ranks %v until %d: %s", a.Gang, a.Lease, a.Ranks, a.Until, a.Reason)
}

func (a GiveWay) String() string {
	return fmt.Sprintf("give way %s lease %d until %d: %s", a.Gang, a.Lease, a.Until, a.Reason)
}

func (a Revoke) String() string {
	return fmt.Sprintf("revoke %s lease %d: %s", a.Gang, a.Lease, a.Reason)
}

func (a Refuse) String() string {
	which := ""
	if a.Elements != nil {
		which = fmt.Sprintf("[%s]", &core.Array{Ranges: a.Elements})
	}
	s := fmt.Sprintf("refuse %s%s (%s): %s", a.Gang, which, a.Kind, a.Why)
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
