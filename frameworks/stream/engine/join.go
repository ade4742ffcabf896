package engine

import (
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// link joins the tasks by a link for each edge and pair. Links are numbered
// through the topology, alike on all ranks.
func (p *Part) link(t *topology.Topology) error {
	inputs, number := map[string]int{}, 0
	for _, task := range p.Tasks {
		task.out = make([][]*router, len(task.Component.Outputs))
	}
	for _, e := range t.Edges {
		in := inputs[e.To]
		inputs[e.To]++
		from := t.Component(e.From)
		out := outputOf(from, e.Stream)
		over, err := p.out.over(from.Outputs[out].Fields)
		if err != nil {
			return err
		}
		for _, writer := range of(t, e.From) {
			var links []*Link
			for _, reader := range of(t, e.To) {
				links = append(links, p.join(over, number, in, writer, reader))
				number++
			}
			if w := p.byID[writer.ID]; w != nil {
				w.out[out] = append(w.out[out], newRouter(e, from.Outputs[out].Fields, t.Groups, links))
			}
		}
	}
	return nil
}

// join makes the link from writer to reader, or this rank's end of it; nil if
// neither is here.
func (p *Part) join(over crossing, number, in int, writer, reader topology.Task) *Link {
	w, r := p.byID[writer.ID], p.byID[reader.ID]
	if w == nil && r == nil {
		return nil
	}
	l := newLink(func() {}, func() {})
	if w != nil {
		l.wakeWriter = w.ring
	}
	if r != nil {
		l.wakeReader = r.ring
		r.in = append(r.in, &inlet{link: l, in: in})
	}
	switch {
	case r == nil:
		p.out.leave(over, l, number, p.out.home(reader))
	case w == nil:
		p.out.enter(over, l, number, p.out.home(writer))
	}
	p.links = append(p.links, l)
	return l
}

func outputOf(c *topology.Component, stream string) int {
	for i := range c.Outputs {
		if c.Outputs[i].Stream == stream {
			return i
		}
	}
	panic("an edge that was bound names stream " + stream)
}

// of lists the tasks of a component, by index.
func of(t *topology.Topology, component string) []topology.Task {
	var list []topology.Task
	for _, task := range t.Tasks() {
		if task.Component.ID == component {
			list = append(list, task)
		}
	}
	return list
}
