package topology

import (
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// MaxTasks is the most tasks of a topology.
const MaxTasks = 10_000

// ids also name objects of the store and files.
var idForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$`)

// Bind fills in t's defaults and what its built-ins emit, and answers with all
// that is wrong with it: nothing, if law G2 holds. Warnings are marked as such.
func Bind(t *Topology, c Catalog) []core.Diagnostic {
	t.Fill()
	b := &binder{t: t, catalog: c, known: map[string]*Component{}, streamless: map[string]bool{}}
	b.whole()
	b.components()
	b.ends()
	if order, ok := b.order(); ok {
		for _, id := range order {
			b.outputs(b.known[id])
		}
		b.streams()
	}
	b.reached()
	return b.found
}

func (b *binder) into(id string) []Edge {
	return slices.DeleteFunc(slices.Clone(b.edges), func(e Edge) bool { return e.To != id })
}

// binder gathers what is wrong.
type binder struct {
	t       *Topology
	catalog Catalog
	known   map[string]*Component
	// streamless are components whose outputs are not known for a fault told
	// already: their readers are not blamed.
	streamless map[string]bool
	edges      []Edge // whose ends are what they should be
	found      []core.Diagnostic
}

func (b *binder) fault(at, message, remedy string) {
	b.found = append(b.found, core.Diagnostic{Path: at, Message: message, Remedy: remedy})
}

// whole checks what belongs to no component.
func (b *binder) whole() {
	t := b.t
	switch t.Guarantee {
	case AtMostOnce, AtLeastOnce, ExactlyOnce:
	default:
		b.fault("guarantee", fmt.Sprintf("there is no guarantee %q", t.Guarantee), "atMostOnce, atLeastOnce or exactlyOnce")
	}
	if t.Groups < 1 || t.Groups > 1<<15 || bits.OnesCount(uint(t.Groups)) != 1 {
		b.fault("groups", fmt.Sprintf("%d is no number of key groups", t.Groups), "a power of two, at most 32768")
	}
	tasks := 0
	for _, c := range t.Components {
		tasks += c.Tasks
	}
	if tasks > MaxTasks {
		b.fault("", fmt.Sprintf("the topology has %d tasks; the most is %d", tasks, MaxTasks), "give its components fewer")
	}
}

func (b *binder) components() {
	sources := 0
	for i := range b.t.Components {
		c := &b.t.Components[i]
		b.component(c)
		if c.Role == Source {
			sources++
		}
	}
	if sources == 0 {
		b.fault("", "the topology has no source, so nothing ever happens in it", "add one")
	}
}

func (b *binder) component(c *Component) {
	switch first, there := b.known[c.ID]; {
	case there:
		b.fault(c.At+".id", fmt.Sprintf("there are two components %q: here and at %s", c.ID, first.At), "")
	case !idForm.MatchString(c.ID) || strings.HasPrefix(c.ID, "__"):
		b.fault(c.At+".id", fmt.Sprintf("%q is no id", c.ID), "letters, digits, _, . and -, at most 63; it begins with none of . - __")
	default:
		b.known[c.ID] = c
	}
	if c.Tasks < 1 || c.Parallelism < 1 {
		b.fault(c.At+".parallelism", fmt.Sprintf("%d is no number of tasks", min(c.Tasks, c.Parallelism)), "1 or more")
	}
	switch c.OnError.Policy {
	case "fail", "retry":
	default:
		b.fault(c.At+".onError", fmt.Sprintf("there is no policy %q", c.OnError.Policy), "fail or retry")
	}
	if c.Unread {
		b.streamless[c.ID] = true
		return
	}
	if (c.Use == "") == (len(c.Exec) == 0) {
		b.fault(c.At, fmt.Sprintf("component %q is one of a built-in and a process", c.ID), "give it use or exec")
		return
	}
	if c.Use != "" {
		b.builtin(c)
		return
	}
	for i, o := range c.Outputs {
		if slices.ContainsFunc(c.Outputs[:i], func(p Output) bool { return p.Stream == o.Stream }) {
			b.fault(c.At, fmt.Sprintf("component %q declares stream %q twice", c.ID, o.Stream), "")
		}
	}
}

func (b *binder) builtin(c *Component) {
	names := b.catalog.Names(c.Role)
	switch found, ok := b.catalog[c.Use]; {
	case !ok:
		b.streamless[c.ID] = true
		remedy := "there are: " + strings.Join(names, ", ")
		if near := core.Nearest(c.Use, names); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		b.fault(c.At+".use", fmt.Sprintf("there is no built-in %s %q", c.Role, c.Use), remedy)
	case found.Role != c.Role:
		b.streamless[c.ID] = true
		b.fault(c.At+".use", fmt.Sprintf("%q is no %s but of the role %s", c.Use, c.Role, found.Role), "there are: "+strings.Join(names, ", "))
	}
}

// ends checks that edges begin and end somewhere.
func (b *binder) ends() {
	ids := make([]string, 0, len(b.known))
	for _, c := range b.t.Components {
		ids = append(ids, c.ID)
	}
	unknown := func(at, id string) {
		remedy := ""
		if near := core.Nearest(id, ids); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		b.fault(at, fmt.Sprintf("there is no component %q", id), remedy)
	}
	type pair struct{ from, stream, to string }
	seen := map[pair]bool{}
	for _, e := range b.t.Edges {
		from, to, p := b.known[e.From], b.known[e.To], pair{e.From, e.Stream, e.To}
		switch {
		case from == nil:
			unknown(e.At, e.From)
		case to == nil:
			unknown(e.At, e.To)
		case from.Role == Sink:
			b.fault(e.At, fmt.Sprintf("%q is a sink: it emits nothing", e.From), "read from what it reads")
		case to.Role == Source:
			b.fault(e.At, fmt.Sprintf("%q is a source: it reads nothing of the topology", e.To), "")
		case seen[p]:
			b.fault(e.At, fmt.Sprintf("%q reads stream %q of %q twice", e.To, e.Stream, e.From), "leave one out")
		default:
			b.edges = append(b.edges, e)
		}
		seen[p] = true
	}
}
