package flux

import (
	"fmt"
	"maps"

	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// placeholder is the field that streamparse gives a component without any.
const placeholder = "NONE_BUT_FLUX_WANTS_SOMETHING_HERE"

// shell makes c a process: constructorArgs [[command …], [field …]].
func (r *reader) shell(c *topology.Component, o args) {
	at := c.At + ".constructorArgs"
	if n := len(o.constructor); n < 1 || n > 2 {
		r.fault(at, "a shell component has a command, and the fields of its default stream", `such as [["python3", "split.py"], ["word"]]`)
		c.Exec = []string{"?"}
		return
	}
	var ok bool
	if c.Exec, ok = texts(o.constructor[0]); !ok || len(c.Exec) == 0 {
		r.fault(at+".0", "the command is a list of words", `such as ["python3", "split.py"]`)
		c.Exec = []string{"?"}
	}
	if len(o.constructor) == 2 {
		r.stream(c, topology.DefaultStream, false, o.constructor[1:], at+".1")
	}
	c.Config = maps.Clone(c.Config)
	for i, m := range o.methods {
		r.method(c, m, fmt.Sprintf("%s.configMethods.%d", c.At, i))
	}
	for i, p := range o.properties {
		r.property(c, p, fmt.Sprintf("%s.properties.%d", c.At, i))
	}
}

// method carries out a configMethod of a shell component.
func (r *reader) method(c *topology.Component, m named, at string) {
	rest := m.args
	switch m.name {
	case "setDefaultStream":
		direct, rest := leading[bool](rest)
		r.stream(c, topology.DefaultStream, direct, rest, at+".args")
	case "setNamedStream":
		name, rest := leading[string](rest)
		direct, rest := leading[bool](rest)
		if name == "" {
			r.fault(at+".args", "setNamedStream begins with the stream's name", "")
			return
		}
		r.stream(c, name, direct, rest, at+".args")
	case "addComponentConfig":
		key, ok := "", len(rest) == 2
		if ok {
			key, ok = rest[0].(string)
		}
		if !ok {
			r.fault(at+".args", "addComponentConfig has a key and a value", "")
			return
		}
		if c.Config == nil {
			c.Config = map[string]any{}
		}
		c.Config[key] = rest[1]
	case "setEnv":
		r.env(c, rest, at+".args")
	default:
		r.fault(at+".name", fmt.Sprintf("method %q of a shell component has no counterpart here", m.name),
			"there are: setDefaultStream, setNamedStream, addComponentConfig, setEnv")
	}
}

func (r *reader) property(c *topology.Component, p named, at string) {
	if p.name == "env" {
		r.env(c, p.args, at)
		return
	}
	r.fault(at+".name", fmt.Sprintf("property %q of a shell component has no counterpart here", p.name), "there is: env")
}

// env adds to a process's environment.
func (r *reader) env(c *topology.Component, list []any, at string) {
	var pairs map[string]any
	if len(list) == 1 {
		pairs, _ = list[0].(map[string]any)
	}
	if pairs == nil {
		r.fault(at, "an environment is a map of names to values", "")
		return
	}
	if c.Env == nil {
		c.Env = map[string]string{}
	}
	for k, v := range pairs {
		text, ok := texts(v)
		if !ok || len(text) != 1 {
			r.fault(at, fmt.Sprintf("variable %q is text or a number", k), "")
			continue
		}
		c.Env[k] = text[0]
	}
}

// leading takes an argument of type T off the front, if there is one.
func leading[T any](list []any) (T, []any) {
	if len(list) > 0 {
		if v, ok := list[0].(T); ok {
			return v, list[1:]
		}
	}
	var none T
	return none, list
}

// stream declares an output, or declares it anew. list is one list of fields, or
// the fields themselves.
func (r *reader) stream(c *topology.Component, name string, direct bool, list []any, at string) {
	if len(list) == 1 {
		if inner, ok := list[0].([]any); ok {
			list = inner
		}
	}
	names, ok := texts(list)
	if !ok {
		r.fault(at, fmt.Sprintf("the fields of stream %q are a list of names", name), `such as ["word", "count"]`)
		return
	}
	out := topology.Output{Stream: name, Direct: direct}
	for _, f := range names {
		if f == placeholder {
			continue
		}
		if topology.Index(out.Fields, f) >= 0 {
			r.fault(at, fmt.Sprintf("stream %q has two fields %q", name, f), "")
			continue
		}
		out.Fields = append(out.Fields, topology.Field{Name: f, Type: topology.JSON})
	}
	if there := c.Output(name); there != nil {
		*there = out
		return
	}
	c.Outputs = append(c.Outputs, out)
}
