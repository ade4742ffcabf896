package directives

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
)

// request is what a script asks for, in neither dialect.
type request struct {
	sub      *Submission
	warnings []core.Diagnostic
	at       core.Diagnostic // place of the option that is being set

	name, queue, user string
	labels            map[string]string
	walltime          time.Duration
	priority          *int
	array             string
	reservation       string
	when              core.When

	nodes   int
	tasks   int
	perNode int  // tasks
	cpus    int  // of each task
	mpi     int  // processes on each node, where they are not the tasks
	pack    bool // nodes of the job may be one
	// Memory: of each node, of the job, of each task, or of each core.
	memory, total, perTask, perCPU core.Bytes
	placement                      core.PlacementAsk
	generic, licences              map[string]int64
	constraints                    []core.Constraint
	restart                        string

	stdin, stdout, stderr string
	merge                 bool
	apart                 bool // stderr was named
	workdir, shell        string
	env                   map[string]string
	signal                string
	before                time.Duration
}

// warn tells the user something about the option that is being set.
func (r *request) warn(format string, args ...any) {
	d := r.at
	d.Message, d.Warning = fmt.Sprintf(format, args...), true
	r.warnings = append(r.warnings, d)
}

func (r *request) label(key, value string) {
	if r.labels == nil {
		r.labels = map[string]string{}
	}
	r.labels[key] = value
}

func (r *request) setenv(name, value string) {
	if r.env == nil {
		r.env = map[string]string{}
	}
	r.env[name] = value
}

// export sends variables of the submitter's: NAME or NAME=VALUE.
func (r *request) export(list string) error {
	for _, part := range strings.Split(list, ",") {
		name, value, given := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case name == "" && !given:
			continue
		case name == "ALL" && !given:
			r.warn("your environment is not sent with the job; name the variables that it reads")
			continue
		case (name == "NONE" || name == "NIL") && !given:
			continue
		case !isName(name):
			return core.Errorf(core.Invalid, "%q is no name of a variable", name).Do("NAME=VALUE, or NAME to send yours")
		}
		if !given {
			if value, given = r.sub.Env(name); !given {
				r.warn("your environment has no variable %s to send", name)
				continue
			}
		}
		r.setenv(name, value)
	}
	return nil
}

func isName(s string) bool {
	for i, c := range s {
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// stream is where a stream goes, as a document names it.
func (r *request) stream(name string) string {
	switch {
	case name == "/dev/null" || name == "none":
		return ""
	case strings.HasPrefix(name, "s3://") || path.IsAbs(name):
		return name
	}
	return path.Join(escape(r.sub.Dir), name)
}

// escape keeps a folder's percent signs from being patterns.
func escape(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// remember sets how memory is counted: the last word counts.
func (r *request) remember(field *core.Bytes, n core.Bytes) {
	r.memory, r.total, r.perTask, r.perCPU = 0, 0, 0, 0
	*field = n
}

// gangSize works out nodes and tasks on each (see "What a script gets").
func (r *request) gangSize() (nodes, slots int, err error) {
	nodes, slots = max(1, r.nodes), max(1, r.perNode)
	switch {
	case r.tasks > 0 && r.nodes == 0 && r.perNode > 0:
		nodes = (r.tasks + r.perNode - 1) / r.perNode
	case r.tasks > 0:
		slots = (r.tasks + nodes - 1) / nodes
		if r.perNode > 0 && slots > r.perNode {
			return 0, 0, fmt.Errorf("%d tasks do not fit on %d nodes with %d on each", r.tasks, nodes, r.perNode)
		}
	}
	return nodes, slots, nil
}

// memoryOf is what each executor gets; 0: the default.
func (r *request) memoryOf(nodes, slots, cpus int) core.Bytes {
	switch {
	case r.memory > 0:
		return r.memory
	case r.perCPU > 0:
		return r.perCPU * core.Bytes(cpus)
	case r.perTask > 0:
		return r.perTask * core.Bytes(slots)
	}
	return (r.total + core.Bytes(nodes) - 1) / core.Bytes(nodes)
}
