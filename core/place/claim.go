package place

import (
	"fmt"

	"github.com/capstan-run/capstan/core"
)

// Claim is what to place: a gang, or ranks to be added to one.
type Claim struct {
	Roles  []RoleAsk // at least one
	Policy core.PlacementAsk
	// Relax is how many levels of a preferred policy are given up already.
	Relax int
	// Beside is the nodes of the gang's ranks that lie already, one entry for
	// each rank. Pack stays in the domain of the first of them in topology
	// order, spread keeps out of theirs, and neither goes as near as it can to
	// the first. PerHost counts them.
	Beside []Ref
	// Job is the nodes of all the job's ranks that lie already, one entry for
	// each rank, for the constraints that count.
	Job []Ref
	// Avoid are nodes to use only if there is no placement without them.
	Avoid []Ref
	// Limit holds room back: where it is less than what is free, it is what is
	// free. Of several for one node the least counts, element by element.
	Limit []Limit
	// View is which state of the nodes to look at. Default Present.
	View View
}

// RoleAsk is one role of a claim: its ranks are all of one shape.
type RoleAsk struct {
	Shape ShapeID
	// Min is how few will do, Size how many there shall be: 1 ≤ Min ≤ Size.
	// Min 0 is Size.
	Min, Size int
	// Counting are the constraints that count ranks: UNIQUE, MAX_PER, GROUP_BY,
	// CLUSTER without a value. They count the job's ranks that lie already and
	// those of the claim's roles that carry the same constraint. A node without
	// the attribute takes none of them. See Split.
	Counting []core.Constraint
}

// Limit is how much of a node may be used.
type Limit struct {
	Node Ref
	Free core.Vector
}

// Choice is a placement.
type Choice struct {
	Nodes  []Ref // by rank; roles one after the other
	Counts []int // by role: ranks placed, Min to Size
}

// View is a state of the nodes, real or imagined.
type View int

const (
	// Present is what is free now on the nodes that are not closed.
	Present View = iota
	// Empty is the nodes that are not closed as if nothing were granted.
	Empty
	// Ever is all nodes, closed or not, as if nothing were granted.
	Ever

	views
)

// Check reports what is wrong with a policy.
func Check(p core.PlacementAsk) error {
	if p.Pack != "" && p.Spread != "" {
		return fmt.Errorf("placement cannot both pack and spread")
	}
	for _, name := range []string{p.Pack, p.Spread, p.SliceLevel} {
		_, ok := levelOf(name)
		if !ok && name != "" && (name != "numa" || name != p.Pack || name == p.SliceLevel) {
			return fmt.Errorf("placement level %q is not host, rack or zone", name)
		}
	}
	if p.PerHost < 0 || p.Slice < 0 {
		return fmt.Errorf("placement perHost and slice are numbers of ranks, not %d and %d", p.PerHost, p.Slice)
	}
	return checkSlice(p)
}

// checkSlice reports what is wrong with the slices of a policy.
func checkSlice(p core.PlacementAsk) error {
	if (p.Slice > 0) != (p.SliceLevel != "") {
		return fmt.Errorf("placement slice and sliceLevel go together")
	}
	l, _ := levelOf(p.SliceLevel)
	if apart, ok := levelOf(p.Spread); ok && p.Slice > 1 && l <= apart {
		return fmt.Errorf("placement cannot spread %s and keep slices of %d in one %s", p.Spread, p.Slice, p.SliceLevel)
	}
	if p.SliceLevel == "host" && p.PerHost > 0 && p.Slice > p.PerHost {
		return fmt.Errorf("placement cannot keep slices of %d on a host with at most %d ranks", p.Slice, p.PerHost)
	}
	return nil
}
