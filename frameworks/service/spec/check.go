package spec

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/artifact"
)

// MaxCopies is the most copies of a service: all of them are in one state, which
// is saved and shown whole.
const MaxCopies = 10_000

// Check finds the faults of a document that its schema lets pass. Its body must
// parse.
func Check(s *core.Spec) []core.Diagnostic {
	b, err := Parse(s.Body)
	if err != nil {
		return []core.Diagnostic{{Path: "spec", Message: err.Error()}}
	}
	var found []core.Diagnostic
	fault := func(where, message, remedy string) {
		found = append(found, core.Diagnostic{Path: where, Message: message, Remedy: remedy})
	}
	if s.Gang.Size > MaxCopies {
		fault("gang.size", fmt.Sprintf("a service has at most %d copies", MaxCopies), "deploy several services")
	}
	if len(s.Gang.Roles) > 0 {
		fault("gang.roles", "the copies of a service are alike", "make each role a service of its own")
	}
	if s.Gang.Restart != "" {
		fault("gang.restart", "how copies come back is spec.restart's", "leave it out")
	}
	if s.Metadata.Array != "" {
		fault("metadata.array", "a service has copies, no elements", "say how many with gang.size")
	}
	var ports []string
	for i, p := range b.Ports {
		if slices.Contains(ports, p.Name) {
			fault(fmt.Sprintf("spec.ports.%d.name", i), fmt.Sprintf("there are two ports called %q", p.Name), "")
		}
		ports = append(ports, p.Name)
	}
	for name, p := range map[string]*Probe{"ready": b.Ready, "health": b.Health} {
		if p != nil {
			p.check("spec."+name, ports, fault)
		}
	}
	found = append(found, b.Shipped().Clashes()...)
	checkVolumes(b, fault)
	if c := b.Update.Canary; c != nil && c.Copies > s.Gang.Size && s.Gang.Size > 0 {
		fault("spec.update.canary.copies", fmt.Sprintf("%d of %d copies cannot go first", c.Copies, s.Gang.Size), "")
	}
	slices.SortFunc(found, func(a, b core.Diagnostic) int { return strings.Compare(a.Path, b.Path) })
	return found
}

func (p *Probe) check(where string, ports []string, fault func(where, message, remedy string)) {
	kinds := 0
	for _, given := range []bool{p.HTTP != nil, p.TCP != "", len(p.Exec) > 0} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		fault(where, "a probe is one of http, tcp and exec", "")
	}
	unknown := func(where, name string) {
		remedy := "name one under spec.ports"
		if len(ports) > 0 {
			remedy = "there are: " + strings.Join(ports, ", ")
		}
		fault(where, fmt.Sprintf("there is no port %q", name), remedy)
	}
	if p.HTTP != nil && !slices.Contains(ports, p.HTTP.Port) {
		unknown(where+".http.port", p.HTTP.Port)
	}
	if p.TCP != "" && !slices.Contains(ports, p.TCP) {
		unknown(where+".tcp", p.TCP)
	}
}

func checkVolumes(b *Body, fault func(where, message, remedy string)) {
	names, paths := map[string]bool{}, map[string]bool{}
	for i, v := range b.Volumes {
		where := "spec.volumes." + strconv.Itoa(i)
		if names[v.Name] || paths[v.Path] {
			fault(where, "two volumes have one name or one path", "")
		}
		names[v.Name], paths[v.Path] = true, true
		if !path.IsAbs(v.Path) || path.Clean(v.Path) != v.Path || v.Path == "/" {
			fault(where+".path", fmt.Sprintf("%q is not a clean absolute path", v.Path), "such as /data")
		}
	}
}

// Shipped lists the artifacts of the body, the command's first.
func (b *Body) Shipped() artifact.List {
	var l artifact.List
	l.AddCommand("exec", b.Exec)
	l.AddFiles("files", b.Files)
	return l
}
