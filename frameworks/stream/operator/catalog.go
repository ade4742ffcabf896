package operator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// Catalog is the built-ins there are.
func Catalog() topology.Catalog {
	return topology.Catalog{
		"lines": {Role: topology.Source, Outputs: linesOutputs},
		"words": {Role: topology.Source, Outputs: wordsOutputs},
		"split": {Role: topology.Operator, Outputs: splitOutputs},
		"count": {Role: topology.Operator, Outputs: countOutputs},
		"files": {Role: topology.Sink, Outputs: filesOutputs},
		"log":   {Role: topology.Sink, Outputs: logOutputs},
	}
}

// LinesWith is what source "lines" is told: text files, read once, line by line.
type LinesWith struct {
	Path string `json:"path"` // file:// URL; * for many
}

// WordsWith is what source "words" is told: words of a few, drawn by a seed.
type WordsWith struct {
	Count int64 `json:"count"` // in all; 0: without end
	Seed  int64 `json:"seed"`
}

// SplitWith is what operator "split" is told: text into its words.
type SplitWith struct {
	Field string `json:"field"` // default: the first one
	As    string `json:"as"`    // default word
}

// CountWith is what operator "count" is told: for each tuple, how many with the
// same fields there have been.
type CountWith struct {
	By []string `json:"by"` // default: the first field
	As string   `json:"as"` // default count
}

// FilesWith is what sink "files" is told: a file for each epoch and task.
type FilesWith struct {
	Path string `json:"path"` // file:// or s3:// URL of a folder
}

// told reads what a component is told; a wrong type or an unknown field is a fault.
func told[T any](c *topology.Component) (T, []topology.Fault) {
	var with T
	if len(c.With) == 0 {
		return with, nil
	}
	d := json.NewDecoder(bytes.NewReader(c.With))
	d.DisallowUnknownFields()
	if err := d.Decode(&with); err != nil {
		return with, []topology.Fault{{Path: "with", Message: strings.TrimPrefix(err.Error(), "json: ")}}
	}
	return with, nil
}

func one(fields ...topology.Field) []topology.Output {
	return []topology.Output{{Stream: topology.DefaultStream, Fields: fields}}
}

func linesOutputs(c *topology.Component, _ []topology.Input) ([]topology.Output, []topology.Fault) {
	with, faults := told[LinesWith](c)
	if len(faults) == 0 {
		if _, err := input.LocalPath(with.Path); err != nil {
			faults = append(faults, topology.Fault{Path: "with.path", Message: fmt.Sprintf("%q names no files", with.Path), Remedy: `such as "file:///data/*.txt"`})
		}
	}
	return one(topology.Field{Name: "line", Type: topology.Text}), faults
}

func wordsOutputs(c *topology.Component, _ []topology.Input) ([]topology.Output, []topology.Fault) {
	_, faults := told[WordsWith](c)
	return one(topology.Field{Name: "word", Type: topology.Text}), faults
}

func splitOutputs(c *topology.Component, in []topology.Input) ([]topology.Output, []topology.Fault) {
	with, faults := told[SplitWith](c)
	for _, i := range in {
		f, err := pick(i, with.Field)
		if err == nil && f.Type != topology.Text && f.Type != topology.JSON {
			err = fmt.Errorf("field %q is of type %s, no text", f.Name, f.Type)
		}
		if err != nil {
			faults = append(faults, topology.Fault{Path: "with", Message: err.Error()})
		}
	}
	return one(topology.Field{Name: orElse(with.As, "word"), Type: topology.Text}), faults
}

func countOutputs(c *topology.Component, in []topology.Input) ([]topology.Output, []topology.Fault) {
	with, faults := told[CountWith](c)
	fail := func(path, format string, args ...any) {
		faults = append(faults, topology.Fault{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if len(in) != 1 {
		fail("from", "it reads %d streams, and counts one", len(in))
		return nil, faults
	}
	by, err := keys(in[0], with.By)
	if err != nil {
		fail("with.by", "%v", err)
		return nil, faults
	}
	if as := orElse(with.As, "count"); topology.Index(by, as) >= 0 {
		fail("with.as", "there is a field %q already", as)
	}
	if g := in[0].Grouping; c.Tasks > 1 && !(g.Kind == topology.Global || g.Kind == topology.ByFields && within(g.Fields, by)) {
		faults = append(faults, topology.Fault{Path: "from", Warning: true,
			Message: fmt.Sprintf("equal %s may go to several of its %d tasks, which count each for itself", strings.Join(topology.Names(by), ", "), c.Tasks),
			Remedy:  fmt.Sprintf("group by %s", strings.Join(topology.Names(by), ", "))})
	}
	return one(append(slices.Clone(by), topology.Field{Name: orElse(with.As, "count"), Type: topology.Integer})...), faults
}

func within(names []string, fields []topology.Field) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return topology.Index(fields, n) < 0 })
}

func filesOutputs(c *topology.Component, _ []topology.Input) ([]topology.Output, []topology.Fault) {
	with, faults := told[FilesWith](c)
	if len(faults) == 0 && !strings.HasPrefix(with.Path, "file:///") && !strings.HasPrefix(with.Path, "s3://") {
		faults = append(faults, topology.Fault{Path: "with.path", Message: fmt.Sprintf("%q is no folder", with.Path), Remedy: `such as "s3://results/words" or "file:///tmp/words"`})
	}
	return nil, faults
}

func logOutputs(c *topology.Component, _ []topology.Input) ([]topology.Output, []topology.Fault) {
	_, faults := told[struct{}](c)
	return nil, faults
}

// pick is the field of that name, or the first one.
func pick(in topology.Input, name string) (topology.Field, error) {
	list, err := keysOf(in, []string{name})
	if err != nil {
		return topology.Field{}, err
	}
	return list[0], nil
}

// keys are the fields of those names that can be keys, or the first field.
func keys(in topology.Input, names []string) ([]topology.Field, error) {
	if len(names) == 0 {
		names = []string{""}
	}
	list, err := keysOf(in, names)
	for _, f := range list {
		if err == nil && !f.Type.Key() {
			err = fmt.Errorf("field %q is of type %s, which is no key", f.Name, f.Type)
		}
	}
	return list, err
}

// keysOf are the fields of those names; "" is the first one.
func keysOf(in topology.Input, names []string) ([]topology.Field, error) {
	var list []topology.Field
	for _, name := range names {
		if len(in.Fields) == 0 {
			return nil, fmt.Errorf("stream %q of %q has no field", in.Stream, in.From)
		}
		i := topology.Index(in.Fields, name)
		if name == "" {
			i = 0
		}
		if i < 0 {
			return nil, fmt.Errorf("stream %q of %q has no field %q; it has: %s", in.Stream, in.From, name, strings.Join(topology.Names(in.Fields), ", "))
		}
		list = append(list, in.Fields[i])
	}
	return list, nil
}

func orElse(v, def string) string {
	if v == "" {
		return def
	}
	return v
}
