package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/capstan-run/capstan/core"
)

// TestStories runs the stories of testdata: "queues" takes a Config as JSON,
// "do" a command on each line. -rewrite writes the answers anew.
func TestStories(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no stories", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s := &story{claims: map[uint64]Claim{}}
			datadriven.RunTest(t, path, s.play)
		})
	}
}

// story is a tree and the claims that were ever made.
type story struct {
	tree   *Tree
	dims   core.Dimensions
	claims map[uint64]Claim
	now    int64
	shapes []core.Vector // the class of a claim is the number of its shape
}

func (s *story) play(t *testing.T, d *datadriven.TestData) string {
	var out strings.Builder
	switch d.Cmd {
	case "queues":
		s.queues(d.Input, &out)
	case "do":
		for line := range strings.Lines(d.Input) {
			s.do(t, strings.Fields(line), &out)
		}
		if err := audit(s.tree); err != nil {
			d.Fatalf(t, "%v", err)
		}
	}
	if out.Len() == 0 {
		return "ok"
	}
	return out.String()
}

func (s *story) queues(doc string, out *strings.Builder) {
	var cfg Config
	err := json.Unmarshal([]byte(doc), &cfg)
	if err == nil && s.tree != nil {
		err = s.tree.Configure(cfg, &s.dims)
	} else if err == nil {
		s.tree, err = New(cfg, &s.dims)
	}
	tell(err, out)
}

// tell writes an error as a user sees it.
func tell(err error, out *strings.Builder) {
	if err == nil {
		return
	}
	var e *core.Error
	if !errors.As(err, &e) {
		fmt.Fprintln(out, err)
		return
	}
	fmt.Fprintf(out, "%s: %s (%s): %s\n", e.Kind, e.What, e.Where, e.Remedy)
	for _, d := range e.Diagnostics {
		fmt.Fprintf(out, "  %s: %s: %s\n", d.Path, d.Message, d.Remedy)
	}
}

// args are "key=value"; what has no "=" is "".
func args(fields []string) map[string]string {
	m := map[string]string{}
	for _, f := range fields {
		k, v, ok := strings.Cut(f, "=")
		if !ok {
			k, v = "", f
		}
		m[k] = v
	}
	return m
}

func num(s string) int64 {
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func (s *story) vector(a map[string]string) core.Vector {
	v, err := s.dims.Vector(core.Resources{CPU: core.MilliCPU(1000 * num(a["cpu"])), Memory: core.Bytes(num(a["memory"]) << 30)},
		map[string]int64{"gpu": num(a["gpu"])})
	if err != nil {
		panic(err)
	}
	return v
}

func (s *story) do(t *testing.T, line []string, out *strings.Builder) {
	a := args(line[1:])
	id := uint64(0)
	switch line[0] {
	case "end", "remove", "why", "check", "reclaim", "submit":
		id = uint64(num(a[""]))
	}
	switch line[0] {
	case "total":
		s.tree.Total(s.vector(a))
	case "wait":
		d, err := time.ParseDuration(a[""])
		if err != nil {
			t.Fatal(err)
		}
		s.now += d.Milliseconds()
		s.tree.Advance(s.now)
	case "submit":
		s.submit(id, a, out)
	case "remove":
		fmt.Fprintln(out, "removed:", s.tree.Remove(id))
	case "end":
		c := s.claims[id]
		c.Count = int(num(a["count"]))
		s.tree.Refund(c)
	case "walk":
		s.walk(int(num(a[""])), a, out)
	case "why":
		s.why(id, out)
	case "reclaim":
		for _, d := range s.tree.Reclaimable(s.claims[id]) {
			fmt.Fprintf(out, "%s owes %s, lower priority only: %v\n", d.Queue, s.amounts(d.Over), d.Lower)
		}
	case "shares":
		s.shares(out)
	default:
		t.Fatalf("no command %q", line[0])
	}
}

// submit checks and adds a claim, which is kept for later commands either way.
func (s *story) submit(id uint64, a map[string]string, out *strings.Builder) {
	c := Claim{
		ID: id, Queue: a["queue"], User: a["user"], Priority: int(num(a["priority"])), Arrival: id, Since: s.now, Need: s.vector(a),
		Count: int(num(a["count"])), Repair: a["repair"] != "", Hint: num(a["hint"]),
	}
	if c.Class = uint64(slices.Index(s.shapes, c.Need) + 1); c.Class == 0 {
		s.shapes = append(s.shapes, c.Need)
		c.Class = uint64(len(s.shapes))
	}
	s.claims[id] = c
	err := s.tree.Check(c, &s.dims)
	if err == nil {
		err = s.tree.Add(c)
	}
	tell(err, out)
}

// walk grants so many, as long as they fit into what free says.
func (s *story) walk(most int, a map[string]string, out *strings.Builder) {
	free := s.vector(a)
	w := s.tree.Walk(s.now)
	defer w.End()
	for granted := 0; granted < most; {
		c, ok := w.Next()
		switch {
		case !ok:
			fmt.Fprintln(out, "no more")
			return
		case len(a) > 1 && !c.Need.Fits(free):
			fmt.Fprintf(out, "%d of %s has no room\n", c.ID, c.Queue)
			w.Skip()
		default:
			w.Granted()
			granted++
			free = free.Sub(c.Need)
			fmt.Fprintf(out, "%d of %s %s\n", c.ID, c.Queue, c.User)
		}
	}
}

func (s *story) why(id uint64, out *strings.Builder) {
	n, ok := s.tree.Position(id)
	fmt.Fprintf(out, "waits: %v, behind %d, allowed: %v\n", ok, n, s.tree.Allows(s.claims[id]))
	for _, r := range s.tree.Admits(s.claims[id]) {
		fmt.Fprintf(out, "  %s: %s", r.Kind, r.Text(&s.dims))
		if r.Never {
			out.WriteString(" (never)")
		}
		out.WriteString("\n")
	}
}

func (s *story) amounts(v core.Vector) string {
	var parts []string
	for d := range s.dims.Len() {
		if v[d] != 0 {
			parts = append(parts, amount(&s.dims, d, v[d])+" "+s.dims.Name(d))
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

func (s *story) shares(out *strings.Builder) {
	for _, x := range s.tree.Shares() {
		fmt.Fprintf(out, "%-16s quota %s; used %s; borrowed %s; lent %s; %d and %d ppm of %s; %d wait, %d run\n", "/"+x.Queue, s.amounts(x.Quota),
			s.amounts(x.Used), s.amounts(x.Borrowed), s.amounts(x.Lent), x.Now, x.Past, s.dims.Name(x.Resource), x.Pending, x.Running)
	}
}
