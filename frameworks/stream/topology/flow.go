package topology

import (
	"fmt"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// order lists the components so that each comes after those it reads. ok is
// false if they go round in a circle, which is told.
func (b *binder) order() (list []string, ok bool) {
	const (
		under = 1
		done  = 2
	)
	state := map[string]int{}
	var path []string
	var visit func(id string) bool
	visit = func(id string) bool {
		switch state[id] {
		case done:
			return true
		case under:
			circle := append(slices.Clone(path[slices.Index(path, id):]), id)
			b.fault(b.known[id].At, "streams go round in a circle: "+strings.Join(circle, " ← "),
				"break it: write to a queue or topic, and read from that")
			return false
		}
		state[id] = under
		path = append(path, id)
		for _, e := range b.into(id) {
			if !visit(e.From) {
				return false
			}
		}
		path = path[:len(path)-1]
		state[id] = done
		list = append(list, id)
		return true
	}
	for _, c := range b.t.Components {
		if b.known[c.ID] != nil && !visit(c.ID) {
			return nil, false
		}
	}
	return list, true
}

// outputs learns what a built-in emits from what it reads.
func (b *binder) outputs(c *Component) {
	if c.Use == "" || b.streamless[c.ID] {
		return
	}
	var in []Input
	edges := b.into(c.ID)
	if c.Role != Source && len(edges) == 0 {
		b.streamless[c.ID] = true
		return
	}
	for _, e := range edges {
		from := b.known[e.From]
		if b.streamless[e.From] || from.Output(e.Stream) == nil {
			b.streamless[c.ID] = true
			return // told at the edge, or of the component before
		}
		in = append(in, Input{From: e.From, Stream: e.Stream, Fields: from.Output(e.Stream).Fields, Grouping: e.Grouping})
	}
	outputs, faults := b.catalog[c.Use].Outputs(c, in)
	for _, f := range faults {
		at := c.At
		if f.Path != "" {
			at += "." + f.Path
		}
		b.found = append(b.found, core.Diagnostic{Path: at, Message: fmt.Sprintf("%s %q: %s", c.Use, c.ID, f.Message), Remedy: f.Remedy, Warning: f.Warning})
		b.streamless[c.ID] = b.streamless[c.ID] || !f.Warning
	}
	c.Outputs = outputs
}

// streams checks that edges name streams and fields that there are.
func (b *binder) streams() {
	for _, e := range b.edges {
		from := b.known[e.From]
		if b.streamless[e.From] {
			continue
		}
		out := from.Output(e.Stream)
		if out == nil {
			var names []string
			for _, o := range from.Outputs {
				names = append(names, o.Stream)
			}
			remedy := fmt.Sprintf("%q declares no output at all", e.From)
			if len(names) > 0 {
				remedy = "it has: " + strings.Join(names, ", ")
			}
			b.fault(e.At, fmt.Sprintf("%q has no stream %q", e.From, e.Stream), remedy)
			continue
		}
		b.grouping(e, out)
	}
}

func (b *binder) grouping(e Edge, out *Output) {
	g, at := e.Grouping, e.At+".grouping"
	if !slices.Contains(Groupings(), string(g.Kind)) {
		b.fault(at, fmt.Sprintf("there is no grouping %q", g.Kind), "there are: "+strings.Join(Groupings(), ", "))
		return
	}
	if (g.Kind == Direct) != out.Direct {
		word := map[bool]string{true: "is direct", false: "is not direct"}[out.Direct]
		b.fault(at, fmt.Sprintf("stream %q of %q %s", e.Stream, e.From, word), "a direct stream, and no other, is read with direct grouping")
	}
	if out.Direct && slices.ContainsFunc(b.edges, func(o Edge) bool { return o.From == e.From && o.Stream == e.Stream && o.To != e.To }) {
		b.fault(at, fmt.Sprintf("direct stream %q of %q has several readers", e.Stream, e.From), "let one component read it")
	}
	keyed := g.Kind == ByFields || g.Kind == PartialKey
	if keyed && len(g.Fields) == 0 {
		b.fault(at, fmt.Sprintf("grouping %s of %q names no field", g.Kind, e.To), "its fields are: "+strings.Join(Names(out.Fields), ", "))
	}
	for _, name := range g.Fields {
		i := Index(out.Fields, name)
		switch {
		case i < 0:
			remedy := "its fields are: " + strings.Join(Names(out.Fields), ", ")
			if near := core.Nearest(name, Names(out.Fields)); near != "" {
				remedy = fmt.Sprintf("did you mean %q?", near)
			}
			b.fault(at, fmt.Sprintf("stream %q of %q has no field %q", e.Stream, e.From, name), remedy)
		case keyed && !out.Fields[i].Type.Key():
			b.fault(at, fmt.Sprintf("field %q is of type %s, which is no key", name, out.Fields[i].Type), "group by text, an integer or a time")
		}
	}
}

// reached tells of components that nothing reaches, and of output that nobody
// reads.
func (b *binder) reached() {
	read := map[string]bool{}
	for _, e := range b.t.Edges {
		read[e.From] = true
	}
	for i := range b.t.Components {
		c := &b.t.Components[i]
		if c.Role != Source && len(b.t.Into(c.ID)) == 0 {
			b.fault(c.At, fmt.Sprintf("nothing reaches %q", c.ID), "let it read a stream, or leave it out")
		}
	}
	if len(b.found) > 0 {
		return // what is unread may be so by one of the faults
	}
	for _, c := range b.t.Components {
		if c.Role == Source && !read[c.ID] {
			b.found = append(b.found, core.Diagnostic{Path: c.At, Message: fmt.Sprintf("nobody reads source %q", c.ID), Warning: true})
		}
	}
}
