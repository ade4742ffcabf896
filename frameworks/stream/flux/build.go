package flux

import (
	"fmt"
	"time"

	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// build makes the topology of a document with all it includes.
func (r *reader) build(d *document) {
	t := &topology.Topology{Name: d.Name, Guarantee: topology.AtLeastOnce, Config: d.Config}
	r.topology = t
	if d.Name == "" {
		r.fault("", "the topology has no name", `add name: to the file`)
	}
	if s := d.TopologySource; s != nil {
		r.fault("topologySource.className", fmt.Sprintf("a topology that class %s makes cannot be read: it is JVM code", s.ClassName),
			"write its spouts, bolts and streams")
	}
	for i, h := range d.WorkerHooks {
		r.fault(fmt.Sprintf("workerHooks.%d.className", i), noCounterpart(h.ClassName), "leave it out")
	}
	r.config(t)
	values := r.components(d.Components)
	for _, v := range d.Spouts {
		t.Components = append(t.Components, r.vertex(v, topology.Source, values))
	}
	for _, v := range d.Bolts {
		t.Components = append(t.Components, r.vertex(v, topology.Operator, values))
	}
	for _, s := range d.Streams {
		t.Edges = append(t.Edges, r.edge(s, values))
	}
}

// config takes what Storm's settings say of the topology itself.
func (r *reader) config(t *topology.Topology) {
	if n, ok := t.Config["topology.acker.executors"].(float64); ok && n == 0 {
		t.Guarantee = topology.AtMostOnce
	}
	if n, ok := t.Config["topology.message.timeout.secs"].(float64); ok && n > 0 {
		t.Timeout = time.Duration(n * float64(time.Second))
	}
	if n, ok := t.Config["topology.max.spout.pending"].(float64); ok && n > 0 {
		t.Pending = int(n)
	}
	if g, ok := t.Config["capstan.guarantee"].(string); ok {
		t.Guarantee = topology.Guarantee(g)
	}
	if e, ok := t.Config["capstan.epoch"].(string); ok {
		d, err := time.ParseDuration(e)
		if err != nil || d <= 0 {
			r.fault("config", fmt.Sprintf("capstan.epoch: %q is no time", e), "such as 1s")
			return
		}
		t.Epoch = d
	}
}

// vertex makes the component that a spout or bolt stands for.
func (r *reader) vertex(v vertex, role topology.Role, values values) topology.Component {
	c := topology.Component{ID: v.ID, Role: role, Parallelism: max(v.Parallelism, 1), Tasks: max(v.NumTasks, 0), Config: v.Config, At: v.at}
	o := r.args(&v.object, v.at, values)
	switch {
	case o.class == shellSpout && role == topology.Source, o.class == shellBolt && role == topology.Operator:
		r.shell(&c, o)
		c.OnError = topology.OnError{Policy: "retry"}
	default:
		r.builtin(&c, o)
	}
	return c
}

// builtin makes c what a class that is no shell stands for.
func (r *reader) builtin(c *topology.Component, o args) {
	b, ok := counterpart(o.class)
	if !ok || (b.role == topology.Source) != (c.Role == topology.Source) {
		c.Unread = true
		r.fault(c.At+".className", noCounterpart(o.class), "write it as a process that speaks Storm's multilang protocol: FluxShellSpout, FluxShellBolt")
		return
	}
	for i, p := range o.properties {
		r.fault(fmt.Sprintf("%s.properties.%d", c.At, i), fmt.Sprintf("property %q of %s has no counterpart here", p.name, o.class), "leave it out")
	}
	for i, m := range o.methods {
		r.fault(fmt.Sprintf("%s.configMethods.%d", c.At, i), fmt.Sprintf("method %q of %s has no counterpart here", m.name, o.class), "leave it out")
	}
	c.Use, c.Role = b.use, b.role
}

func (r *reader) edge(s stream, values values) topology.Edge {
	e := topology.Edge{From: s.From, To: s.To, Stream: s.Grouping.StreamID, At: s.at}
	g := &e.Grouping
	switch s.Grouping.Type {
	case "ALL":
		g.Kind = topology.All
	case "DIRECT":
		g.Kind = topology.Direct
	case "SHUFFLE":
		g.Kind = topology.Shuffle
	case "LOCAL_OR_SHUFFLE":
		g.Kind = topology.LocalOrShuffle
	case "FIELDS":
		g.Kind, g.Fields = topology.ByFields, s.Grouping.Args
	case "GLOBAL":
		g.Kind = topology.Global
	case "NONE":
		g.Kind = topology.None
	case "CUSTOM":
		r.custom(g, s, values)
	}
	return e
}

// custom takes the one class of groupings that has a counterpart.
func (r *reader) custom(g *topology.Grouping, s stream, values values) {
	at := s.at + ".grouping"
	if s.Grouping.CustomClass == nil {
		r.fault(at, "a CUSTOM grouping has a customClass", "")
		return
	}
	o := r.args(s.Grouping.CustomClass, at+".customClass", values)
	if o.class != partialKey {
		r.fault(at+".customClass.className", noCounterpart(o.class), "one has: "+partialKey)
		return
	}
	g.Kind = topology.PartialKey
	for _, a := range o.constructor {
		list, ok := texts(a)
		if !ok {
			r.fault(at+".customClass.constructorArgs", "the fields are a list of names", "")
			return
		}
		g.Fields = append(g.Fields, list...)
	}
}
