package flux

import (
	"fmt"
	"strconv"
)

// values are those of components, by id. One that came to nothing for a fault is
// there as nil.
type values map[string]any

// args is an object with its references followed.
type args struct {
	class       string
	constructor []any
	properties  []named
	methods     []named
}

type named struct {
	name string
	args []any
}

// components makes values of all components, in order (law F3).
func (r *reader) components(list []vertex) values {
	known := values{}
	for _, v := range list {
		if _, twice := known[v.ID]; twice {
			r.fault(v.at+".id", fmt.Sprintf("there are two components %q", v.ID), "")
			continue
		}
		o := r.args(&v.object, v.at, known)
		value, ok := valueOf(o.class, o.constructor)
		if !ok {
			r.fault(v.at+".className", noCounterpart(o.class), "leave the component out, or write the value where it is used")
		}
		for i, p := range o.properties {
			r.fault(fmt.Sprintf("%s.properties.%d", v.at, i), fmt.Sprintf("property %q of %s has no counterpart here", p.name, o.class), "")
		}
		for i, m := range o.methods {
			r.fault(fmt.Sprintf("%s.configMethods.%d", v.at, i), fmt.Sprintf("method %q of %s has no counterpart here", m.name, o.class), "")
		}
		known[v.ID] = value
	}
	return known
}

// args follows the references of an object.
func (r *reader) args(o *object, at string, known values) args {
	a := args{class: o.ClassName}
	if o.Factory != "" || len(o.FactoryArgs) > 0 {
		r.fault(at+".factory", fmt.Sprintf("factory method %q of %s has no counterpart here: it is JVM code", o.Factory, o.ClassName), "")
	}
	a.constructor = r.list(o.ConstructorArgs, at+".constructorArgs", known)
	for i, p := range o.Properties {
		where := fmt.Sprintf("%s.properties.%d", at, i)
		value := p.Value
		switch {
		case p.Ref != "":
			value = r.follow(p.Ref, where+".ref", known)
		case p.Reflist != nil:
			value = r.followAll(p.Reflist, where+".reflist", known)
		default:
			value = r.value(value, where+".value", known)
		}
		a.properties = append(a.properties, named{p.Name, []any{value}})
	}
	for i, m := range o.ConfigMethods {
		a.methods = append(a.methods, named{m.Name, r.list(m.Args, fmt.Sprintf("%s.configMethods.%d.args", at, i), known)})
	}
	return a
}

func (r *reader) list(list []any, at string, known values) []any {
	var out []any
	for i, v := range list {
		out = append(out, r.value(v, at+"."+strconv.Itoa(i), known))
	}
	return out
}

// value follows a reference: {ref: id}, {reflist: [id, …]}. What is none is
// itself.
func (r *reader) value(v any, at string, known values) any {
	switch v := v.(type) {
	case []any:
		return r.list(v, at, known)
	case map[string]any:
		if id, ok := v["ref"].(string); ok && len(v) == 1 {
			return r.follow(id, at+".ref", known)
		}
		if list, ok := v["reflist"].([]any); ok && len(v) == 1 {
			ids, ok := texts(list)
			if !ok {
				r.fault(at+".reflist", "a reflist is a list of ids", "")
			}
			return r.followAll(ids, at+".reflist", known)
		}
	}
	return v
}

func (r *reader) follow(id, at string, known values) any {
	v, ok := known[id]
	if !ok {
		r.fault(at, fmt.Sprintf("no component %q is declared above", id), "declare it under components:, before what refers to it")
	}
	if v == nil {
		return []any{} // told; an empty list is no further fault
	}
	return v
}

func (r *reader) followAll(ids []string, at string, known values) any {
	list := make([]any, 0, len(ids))
	for i, id := range ids {
		if v := r.follow(id, at+"."+strconv.Itoa(i), known); known[id] != nil {
			list = append(list, v)
		}
	}
	return list
}

// texts is a value as a list of strings: of strings and numbers, or one of them.
func texts(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}, true
	case []any:
		list := make([]string, 0, len(v))
		for _, e := range v {
			one, ok := texts(e)
			if !ok || len(one) != 1 {
				return nil, false
			}
			list = append(list, one[0])
		}
		return list, true
	}
	return nil, false
}
