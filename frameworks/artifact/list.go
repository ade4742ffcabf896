package artifact

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/capstan-run/capstan/core"
)

// Shipment is an artifact of a body and where it stands.
type Shipment struct {
	Path    string // below the body: "map.exec.0", "files.2"
	Program bool   // it is the executors' own binary
	Artifact
}

// List is the shipments of a body, in a fixed order.
type List []Shipment

// Add takes the artifact at a place of the body; any other string is none.
func (l *List) Add(place, s string) {
	if a, ok := Parse(s); ok {
		*l = append(*l, Shipment{Path: place, Artifact: a})
	}
}

// AddCommand takes the program of a command, if it is shipped: its first word.
func (l *List) AddCommand(place string, argv []string) {
	if len(argv) > 0 {
		l.Add(place+".0", argv[0])
	}
}

// AddProgram takes a program that is each executor's init and worker.
func (l *List) AddProgram(place, s string) {
	n := len(*l)
	l.Add(place, s)
	if len(*l) > n {
		(*l)[n].Program = true
	}
}

// AddFiles takes a list of files.
func (l *List) AddFiles(place string, files []string) {
	for i, f := range files {
		l.Add(place+"."+strconv.Itoa(i), f)
	}
}

// Files are the files that executors see, each name once.
func (l List) Files() []core.File {
	var files []core.File
	for _, s := range l {
		named := func(f core.File) bool { return f.Name == s.Base }
		if !s.Program && !slices.ContainsFunc(files, named) {
			files = append(files, s.File())
		}
	}
	return files
}

// Program is the SHA-256 of the executors' own binary, "" for none.
func (l List) Program() string {
	for _, s := range l {
		if s.Program {
			return s.SHA256
		}
	}
	return ""
}

// Clashes are the faults of a document in which one name stands for two files
// (law A3). Their paths begin with "spec.".
func (l List) Clashes() []core.Diagnostic {
	var found []core.Diagnostic
	named := map[string]Shipment{}
	for _, s := range l {
		was, ok := named[s.Base]
		if ok && was.SHA256 != s.SHA256 {
			found = append(found, core.Diagnostic{
				Path:    "spec." + s.Path,
				Message: fmt.Sprintf("two different files are named %q (the other is at %s)", s.Base, was.Path),
				Remedy:  "rename one: they lie in one folder",
			})
			continue
		}
		named[s.Base] = s
	}
	return found
}

// Faults are the faults of the name of a program at a place of the body: it
// means to be an artifact and is none.
func Faults(place, program string) []core.Diagnostic {
	if !Malformed(program) {
		return nil
	}
	return []core.Diagnostic{{Path: "spec." + place, Message: fmt.Sprintf("%q is not an artifact", program), Remedy: "name a local file; the client ships it"}}
}
