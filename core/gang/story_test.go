package gang

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/capstan-run/capstan/core"
)

// TestStories runs the stories of testdata: blocks of commands, one a line,
// and what the scheduler does about them. -rewrite writes the answers anew.
func TestStories(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no stories", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			w := &world{s: New(Config{Explain: true}), now: 1000}
			datadriven.RunTest(t, path, w.play)
		})
	}
}

// play runs one block of a story.
func (w *world) play(t *testing.T, d *datadriven.TestData) string {
	var out strings.Builder
	for line := range strings.Lines(d.Input) {
		c, err := parseCommand(line)
		if err == nil {
			err = w.do(c, &out)
		}
		if err == nil {
			err = audit(w.s)
		}
		if err != nil {
			d.Fatalf(t, "%s: %v", strings.TrimSpace(line), err)
		}
	}
	if out.Len() == 0 {
		return "ok"
	}
	return out.String()
}

// world is a scheduler and a clock.
type world struct {
	s   *Scheduler
	now int64
}

// command is a line of a story: "submit j/main size=2 cpu=500m".
type command struct {
	verb, subject string
	args          map[string]string
}

func parseCommand(line string) (command, error) {
	c := command{args: map[string]string{}}
	for i, f := range strings.Fields(line) {
		k, v, isArg := strings.Cut(f, "=")
		switch {
		case i == 0:
			c.verb = f
		case isArg:
			c.args[k] = v
		case i == 1:
			c.subject = f
		default:
			return c, fmt.Errorf("%q is not key=value", f)
		}
	}
	return c, nil
}

func (c command) str(key, otherwise string) string {
	if v, ok := c.args[key]; ok {
		return v
	}
	return otherwise
}

func (c command) num(key string, otherwise int) int {
	n, err := strconv.Atoi(c.str(key, strconv.Itoa(otherwise)))
	if err != nil {
		panic(err)
	}
	return n
}

func (c command) millis(key string) int64 {
	d, err := time.ParseDuration(c.str(key, "0s"))
	if err != nil {
		panic(err)
	}
	return d.Milliseconds()
}

func (c command) resources(cpu, memory string) core.Resources {
	m, err := core.ParseCPU(c.str("cpu", cpu))
	if err != nil {
		panic(err)
	}
	b, err := core.ParseBytes(c.str("memory", memory))
	if err != nil {
		panic(err)
	}
	return core.Resources{CPU: m, Memory: b}
}

func (c command) node() core.Node {
	return core.Node{
		ID: core.NodeID(c.subject), Zone: c.str("zone", ""), Rack: c.str("rack", ""),
		Capacity: c.resources("4", "8Gi"), Generic: c.amounts("generic"), NUMA: c.num("numa", 0), Labels: c.labels("labels"),
	}
}

func (c command) nodeIDs(key string) []core.NodeID {
	var ids []core.NodeID
	for _, s := range strings.Split(c.str(key, ""), ",") {
		ids = append(ids, core.NodeID(s))
	}
	return ids
}

// do carries out one line and writes what came of it.
func (w *world) do(c command, out *strings.Builder) error {
	switch c.verb {
	case "state":
		out.WriteString(w.s.String())
		return nil
	case "shares":
		for _, v := range w.s.tree.Shares() {
			fmt.Fprintf(out, "%q uses %v, %d run, %d wait\n", v.Queue, v.Used.Resources(), v.Running, v.Pending)
		}
		return nil
	case "why":
		fmt.Fprintln(out, w.s.Why(ID(c.subject)))
		return nil
	case "next":
		fmt.Fprintln(out, "next", w.s.Next())
		return nil
	case "nodes": // a row of nodes, so many to a rack
		for i := range c.num("count", 1) {
			n := c
			n.subject = fmt.Sprintf("%s%03d", c.subject, i)
			n.args["rack"] = fmt.Sprintf("r%d", i/c.num("per-rack", 10))
			w.step(NodeUp{w.now, n.node()}, out)
		}
		return nil
	}
	e, err := w.event(c)
	if err != nil {
		return err
	}
	w.step(e, out)
	return nil
}

func (w *world) step(e Event, out *strings.Builder) {
	r := w.s.Step(e)
	for _, a := range r.Actions {
		fmt.Fprintln(out, a)
	}
	for _, x := range r.Explanations {
		fmt.Fprintln(out, w.s.Why(x.Gang)) // the same, with the estimate
	}
}

func (w *world) event(c command) (Event, error) {
	if e := w.rest(c); e != nil {
		return e, nil
	}
	id := ID(c.subject)
	g, _ := w.s.Gang(id)
	lease := uint64(c.num("lease", int(g.Lease)))
	reason := strings.ReplaceAll(c.str("reason", ""), "_", " ")
	switch c.verb {
	case "node":
		return NodeUp{w.now, c.node()}, nil
	case "down":
		return NodeDown{w.now, core.NodeID(id)}, nil
	case "drain", "undrain":
		return NodeDrain{Now: w.now, ID: core.NodeID(id), Drain: c.verb == "drain", Until: w.until(c)}, nil
	case "submit":
		return Submit{Now: w.now, Request: w.request(c), Again: c.str("again", "") != ""}, nil
	case "cancel":
		return Cancel{w.now, id, reason}, nil
	case "joined":
		return MemberJoined{w.now, id, lease, c.num("rank", 0)}, nil
	case "started":
		return Started{w.now, id, lease}, nil
	case "start-failed":
		return StartFailed{w.now, id, lease, core.NodeID(c.str("node", "")), reason}, nil
	case "release":
		return Release{Now: w.now, Gang: id, Lease: lease, Ended: Ending(c.str("ended", ""))}, nil
	case "lost":
		return MemberLost{w.now, id, lease, c.num("rank", 0), reason}, nil
	case "replace":
		return MemberReplace{w.now, id, lease, c.num("rank", 0)}, nil
	case "adopt":
		e := Adopt{Now: w.now, Request: w.request(c), Lease: lease, Placement: c.nodeIDs("on"), Since: int64(c.num("since", 0))}
		if _, ok := c.args["lost"]; ok {
			e.Lost = []int{c.num("lost", 0)}
		}
		return e, nil
	case "pass": // pass 10s: the clock goes on
		d, err := time.ParseDuration(c.subject)
		w.now += d.Milliseconds()
		return Tick{w.now}, err
	}
	return nil, fmt.Errorf("no command is called %q", c.verb)
}

// until is the moment that until=10s of a command means; 0 without.
func (w *world) until(c command) int64 {
	if d := c.millis("until"); d > 0 {
		return w.now + d
	}
	return 0
}
