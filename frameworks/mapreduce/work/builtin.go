package work

import (
	"slices"
	"strconv"

	"github.com/capstan-run/capstan/core"
)

// BuiltIn describes a function that needs no program.
type BuiltIn struct {
	Name string
	Step string // "map", or "reduce" for reduce and combine
	Doc  string
	With []Argument
}

// Argument is a key of `with:`.
type Argument struct {
	Name, Doc, Default string
}

// Catalog lists the built-ins, maps first, each by name.
func Catalog() []BuiltIn {
	var list []BuiltIn
	for _, b := range mapBuiltIns() {
		list = append(list, b.BuiltIn)
	}
	for _, b := range reduceBuiltIns() {
		list = append(list, b.BuiltIn)
	}
	return list
}

// BuiltIns lists the names of the built-ins of all steps, each once, sorted.
func BuiltIns() []string {
	var names []string
	for _, b := range Catalog() {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// arguments are the checked values of `with:`.
type arguments map[string]string

// check refuses what the built-in does not know.
func (b BuiltIn) check(with map[string]string) error {
	var names []string
	for _, a := range b.With {
		names = append(names, a.Name)
	}
	for name := range with {
		if !slices.Contains(names, name) {
			e := core.Errorf(core.Invalid, "%s has no argument %q", b.Name, name).At("with." + name)
			if len(names) == 0 {
				return e.Do("remove it: it takes none")
			}
			return e.Do("it takes " + list(names))
		}
	}
	return nil
}

func (a arguments) text(name, def string) string {
	if v, ok := a[name]; ok {
		return v
	}
	return def
}

func (a arguments) flag(name string) (bool, error) {
	v, ok := a[name]
	if !ok {
		return false, nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, core.Errorf(core.Invalid, "%q is neither true nor false", v).At("with." + name).Do(`write "true" or "false"`)
	}
	return b, nil
}

func (a arguments) positive(name string, def int) (int, error) {
	v, ok := a[name]
	if !ok {
		return def, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return 0, core.Errorf(core.Invalid, "%q is not a positive number", v).At("with." + name).Do(`write "1" or more`)
	}
	return n, nil
}

// oneOf reads an argument with a closed set of values, the first of which is
// the default.
func (a arguments) oneOf(name string, values ...string) (string, error) {
	v, ok := a[name]
	if !ok {
		return values[0], nil
	}
	if !slices.Contains(values, v) {
		return "", core.Errorf(core.Invalid, "%q is not one of its values", v).At("with." + name).Do("write " + list(values))
	}
	return v, nil
}

// list writes "a, b or c".
func list(names []string) string {
	s := ""
	for i, n := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			s += " or "
		default:
			s += ", "
		}
		s += n
	}
	return s
}
