package flux

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/capstan-run/capstan/core"
)

var reference = regexp.MustCompile(`\$\{([^${}]+)\}`)

// substitute puts values in the place of ${name} and ${ENV-NAME}, and warns of
// those that it knows nothing for.
func substitute(doc []byte, o Options) ([]byte, []core.Diagnostic) {
	var unknown []core.Diagnostic
	lines := bytes.Split(doc, []byte("\n"))
	for i, line := range lines {
		comment := bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("#"))
		lines[i] = reference.ReplaceAllFunc(line, func(ref []byte) []byte {
			name := string(ref[2 : len(ref)-1])
			if v, ok := o.value(name); ok {
				return []byte(v)
			}
			if !comment {
				unknown = append(unknown, core.Diagnostic{Line: i + 1, Column: 1 + bytes.Index(line, ref), Warning: true,
					Message: fmt.Sprintf("no value is known for ${%s}: it stays as it is", name), Remedy: o.remedy(name)})
			}
			return ref
		})
	}
	return bytes.Join(lines, []byte("\n")), unknown
}

// value is what a name stands for. One with a line break would change the shape
// of the document, and stands for nothing.
func (o Options) value(name string) (string, bool) {
	v, ok := o.Filter[name]
	if variable, env := strings.CutPrefix(name, "ENV-"); !ok && env && o.Env != nil {
		v, ok = o.Env(variable)
	}
	return v, ok && !strings.ContainsAny(v, "\r\n")
}

func (o Options) remedy(name string) string {
	variable, env := strings.CutPrefix(name, "ENV-")
	switch {
	case env && o.Env == nil:
		return "allow the environment to be seen with --env-filter"
	case env:
		return "set " + variable + " in the environment"
	}
	return "give it a value in the file of --filter"
}
