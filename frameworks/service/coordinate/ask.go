package coordinate

import (
	"fmt"
	"regexp"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/service/spec"
)

// Ask is the gang of one copy of a job's spec. node, when set, has its volumes.
func Ask(job core.JobID, s core.Spec, b *spec.Body, ordinal int, gang string, node core.NodeID) core.GangAsk {
	a := core.GangAsk{Name: gang, Gang: s.Gang, Optional: true}
	a.Size, a.Min, a.Max = 1, 0, 0
	a.Restart = "none" // how copies come back is decided here
	a.Grace = core.Duration(b.StopWithin())
	a.Userland = a.Image == ""
	a.Files = b.Shipped().Files()
	name := s.Metadata.Name
	if a.Network {
		a.Names = []string{fmt.Sprintf("%s-%d", name, ordinal)} // the workers know name itself
	}
	for _, v := range b.Volumes {
		a.Volumes = append(a.Volumes, core.Volume{
			Name: fmt.Sprintf("%s.%s.%d", name, v.Name, ordinal), Path: v.Path, Env: v.Variable(),
		})
	}
	if b.Sticky() && node != "" {
		a.Constraints = append(append([]core.Constraint{}, a.Constraints...),
			core.Constraint{Attribute: "host", Operator: "LIKE", Value: "^" + regexp.QuoteMeta(string(node)) + "$"})
	}
	return a
}
