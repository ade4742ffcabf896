package algorithm

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// faults collects what is wrong with options.
type faults []core.Diagnostic

// add notes a fault of one option.
func (f *faults) add(option, remedy, format string, a ...any) {
	*f = append(*f, core.Diagnostic{Path: "spec.algorithm.with." + option, Message: fmt.Sprintf(format, a...), Remedy: remedy})
}

// atLeast notes an option below its least value.
func atLeast[T int | int64 | float64](f *faults, option string, v, least T) {
	if v < least {
		f.add(option, fmt.Sprintf("give at least %v", least), "%s is %v", option, v)
	}
}

// within notes an option outside of low <= v <= high; a NaN is outside.
func within(f *faults, option string, v, low, high float64) {
	if !(v >= low && v <= high) {
		f.add(option, fmt.Sprintf("give a number from %v to %v", low, high), "%s is %v", option, v)
	}
}

// optionsOf describes the fields of a struct of defaults.
func optionsOf(v reflect.Value) []Option {
	var all []Option
	for i := range v.NumField() {
		field := v.Type().Field(i)
		o := Option{Name: nameOf(field), About: field.Tag.Get("about")}
		t := field.Type
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		} else {
			o.Default = v.Field(i).Interface()
		}
		o.Type = typeName(t)
		all = append(all, o)
	}
	return all
}

func nameOf(f reflect.StructField) string { return f.Tag.Get("json") }

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list"
	case reflect.String:
		return "string"
	}
	panic(fmt.Sprintf("an option has type %v", t))
}

// decode sets the fields of the struct into from with, and notes every fault.
func decode(f *faults, into reflect.Value, with map[string]any) {
	fields := map[string]reflect.Value{}
	var names []string
	for i := range into.NumField() {
		name := nameOf(into.Type().Field(i))
		fields[name] = into.Field(i)
		names = append(names, name)
	}
	for _, name := range slices.Sorted(maps.Keys(with)) {
		field, ok := fields[name]
		if !ok {
			f.unknown(name, names)
			continue
		}
		set(f, name, field, with[name])
	}
}

func (f *faults) unknown(name string, known []string) {
	remedy := "this algorithm has no options"
	if near := nearest(name, known); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	} else if len(known) > 0 {
		remedy = "the options are " + strings.Join(known, ", ")
	}
	f.add(name, remedy, "unknown option %q", name)
}

// set sets one field. A string stands for a vertex's id as well as a number
// does, so that a field of type string takes whole numbers.
func set(f *faults, name string, field reflect.Value, v any) {
	if field.Kind() == reflect.Pointer {
		fresh := reflect.New(field.Type().Elem())
		before := len(*f)
		set(f, name, fresh.Elem(), v)
		if len(*f) == before {
			field.Set(fresh)
		}
		return
	}
	switch field.Kind() {
	case reflect.Bool:
		if b, ok := v.(bool); ok {
			field.SetBool(b)
			return
		}
	case reflect.Int, reflect.Int64:
		if n, ok := wholeNumber(v); ok {
			field.SetInt(n)
			return
		}
	case reflect.Float64:
		if x, ok := number(v); ok {
			field.SetFloat(x)
			return
		}
	case reflect.String:
		if s, ok := text(v); ok {
			field.SetString(s)
			return
		}
	case reflect.Slice:
		if list, ok := v.([]any); ok {
			setList(f, name, field, list)
			return
		}
	}
	f.add(name, "give a "+typeName(field.Type()), "%s is %v, which is no %s", name, v, typeName(field.Type()))
}

func setList(f *faults, name string, field reflect.Value, list []any) {
	s := reflect.MakeSlice(field.Type(), len(list), len(list))
	for i, v := range list {
		set(f, fmt.Sprintf("%s[%d]", name, i), s.Index(i), v)
	}
	field.Set(s)
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	case json.Number:
		x, err := n.Float64()
		return x, err == nil
	}
	return 0, false
}

func wholeNumber(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case uint64:
		return int64(n), n <= math.MaxInt64
	case float64:
		return int64(n), n == math.Trunc(n) && math.Abs(n) <= 1<<53
	case json.Number:
		x, err := n.Int64()
		return x, err == nil
	}
	return 0, false
}

func text(v any) (string, bool) {
	if s, ok := v.(string); ok {
		return s, true
	}
	n, ok := wholeNumber(v)
	return fmt.Sprint(n), ok
}

// nearest is the known name within two edits of name, or "".
func nearest(name string, known []string) string {
	best, at := 3, ""
	for _, k := range known {
		if d := edits(name, k); d < best {
			best, at = d, k
		}
	}
	return at
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d++
			}
			diagonal = row[j+1]
			row[j+1] = min(d, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
