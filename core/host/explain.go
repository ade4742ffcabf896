package host

import (
	"fmt"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core/gang"
)

// closed are the states of a node that somebody can open again.
var closed = []string{"draining", "quarantined"}

// explain is why g waits. The scheduler's remedies are changes of the request and
// of the cluster; where nodes are closed the command that opens them is one, too.
// h.mu is held.
func (h *Host) explain(g *gangRun) gang.Explanation {
	e := h.sched.Why(g.id)
	told := func(s string) bool {
		return slices.ContainsFunc(closed, func(state string) bool { return strings.Contains(s, state) })
	}
	if !slices.ContainsFunc(e.Blockers, told) {
		return e
	}
	var nodes []string
	for _, n := range h.sched.NodeViews() {
		if slices.Contains(closed, n.State) {
			nodes = append(nodes, fmt.Sprintf("`capstan node open %s`", n.ID))
		}
	}
	if len(nodes) > maxOpened {
		nodes = append(nodes[:maxOpened], "that of another closed node")
	}
	if e.Remedy != "" {
		nodes = append(nodes, e.Remedy)
	}
	e.Remedy = strings.Join(nodes, ", or ")
	return e
}

// maxOpened is how many nodes a remedy names.
const maxOpened = 3
