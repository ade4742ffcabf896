package gang

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/queue"
)

// request is what a submit or an adopt asks for. Lists are written with commas,
// and what belongs together with colons:
//
//	submit j/m roles=driver:1:cpu=2,worker:4 after=a:ok,b:any:each
//	submit j/m licences=matlab:2 constraints=rack:CLUSTER,disk:LIKE:ssd
func (w *world) request(c command) Request {
	job, _, _ := strings.Cut(c.subject, "/")
	q := Request{
		Gang: ID(c.subject), Job: core.JobID(job), Size: c.num("size", 1), Each: c.resources("1", "512Mi"),
		Min: c.num("min", 0), Max: c.num("max", 0), Queue: c.str("queue", ""), User: c.str("user", ""), Name: c.str("name", ""),
		Placement: core.PlacementAsk{Pack: c.str("pack", ""), Spread: c.str("spread", ""),
			Preferred: c.str("preferred", "") != "", Wait: core.Duration(c.millis("wait") * int64(time.Millisecond))},
		Priority: c.num("priority", 50), StartTimeout: c.millis("timeout"), Walltime: c.millis("walltime"), Grace: c.millis("grace"),
		Labels: c.labels("labels"), Generic: c.amounts("generic"), Licences: c.amounts("licences"), Restart: c.str("restart", ""),
		Reservation: c.str("reservation", ""), Constraints: c.constraints(), Roles: c.roles(), Ports: c.ports(),
		When: When{Hold: c.str("hold", "") != "", Singleton: c.str("singleton", "") != "", After: c.after(),
			Begin: w.moment(c, "begin"), Deadline: w.moment(c, "deadline")},
	}
	if text := c.str("array", ""); text != "" {
		a, err := core.ParseArray(text)
		if err != nil {
			panic(err)
		}
		q.Array = a
	}
	if len(q.Roles) > 0 {
		q.Size = 0
	}
	for _, role := range q.Roles {
		q.Size += role.Size
	}
	return q
}

// moment is a time that a command names by its distance from now; 0 without.
func (w *world) moment(c command, key string) int64 {
	if d := c.millis(key); d != 0 {
		return w.now + d
	}
	return 0
}

// parts is the comma-separated items of an argument, each split at its colons.
func (c command) parts(key string) [][]string {
	var out [][]string
	for item := range strings.SplitSeq(c.str(key, ""), ",") {
		if item != "" {
			out = append(out, append(strings.Split(item, ":"), "", ""))
		}
	}
	return out
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func (c command) amounts(key string) map[string]int64 {
	var out map[string]int64
	for _, p := range c.parts(key) {
		if out == nil {
			out = map[string]int64{}
		}
		out[p[0]] = int64(number(p[1]))
	}
	return out
}

func (c command) labels(key string) map[string]string {
	var out map[string]string
	for _, p := range c.parts(key) {
		if out == nil {
			out = map[string]string{}
		}
		out[p[0]] = p[1]
	}
	return out
}

func (c command) ports() []int {
	var out []int
	for _, p := range c.parts("ports") {
		out = append(out, number(p[0]))
	}
	return out
}

func (c command) constraints() []core.Constraint {
	var out []core.Constraint
	for _, p := range c.parts("constraints") {
		out = append(out, core.Constraint{Attribute: p[0], Operator: p[1], Value: p[2]})
	}
	return out
}

func (c command) roles() []core.Role {
	var out []core.Role
	for _, p := range c.parts("roles") {
		role := core.Role{Name: p[0], Size: number(p[1])}
		for _, field := range p[2:] {
			key, value, _ := strings.Cut(field, "=")
			switch key {
			case "min":
				role.Min = number(value)
			case "cpu":
				role.CPU = core.MilliCPU(number(value) * 1000)
			case "gpu":
				role.Generic = map[string]int64{"gpu": int64(number(value))}
			}
		}
		out = append(out, role)
	}
	return out
}

func (c command) after() []core.Dependency {
	var out []core.Dependency
	for _, p := range c.parts("after") {
		out = append(out, core.Dependency{Job: core.JobID(p[0]), Ended: p[1], Each: p[2] == "each"})
	}
	return out
}

func (c command) ranges(key string) []core.ArrayRange {
	if c.str(key, "") == "" {
		return nil
	}
	a, err := core.ParseArray(c.args[key])
	if err != nil {
		panic(err)
	}
	return a.Ranges
}

// rest is the events about what is not one gang's start or end; nil if c is
// none of them.
func (w *world) rest(c command) Event {
	job := core.JobID(c.subject)
	switch c.verb {
	case "job-ended":
		return JobEnded{w.now, job, Ending(c.str("as", "ok"))}
	case "job-forgotten":
		return JobForgotten{w.now, job}
	case "elements-ended":
		e := ElementsEnded{Now: w.now, Gang: ID(c.subject), OK: c.ranges("ok"), Failed: c.ranges("failed")}
		if over := c.ranges("over"); over != nil {
			e.Over = &core.Array{Ranges: over}
		}
		return e
	case "hold", "let-go":
		return Hold{w.now, job, c.verb == "hold"}
	case "resize":
		return Resize{w.now, ID(c.subject), c.num("size", 1)}
	case "shrunk":
		var ranks []int
		for _, p := range c.parts("ranks") {
			ranks = append(ranks, number(p[0]))
		}
		return Shrunk{Now: w.now, Gang: ID(c.subject), Lease: uint64(c.num("lease", 0)), Ranks: ranks}
	case "supply":
		return Supply{w.now, c.amounts("licences")}
	case "queues": // queues [{"name":"a","quota":{"cpu":"4"}}]
		var list []queue.Queue
		if err := json.Unmarshal([]byte(c.subject), &list); err != nil {
			panic(err)
		}
		return Configure{w.now, queue.Config{Queues: list, Default: c.str("default", "")}}
	case "reserve":
		return Reserve{Now: w.now, Name: c.subject, Start: w.now + c.millis("in"), End: w.now + c.millis("in") + c.millis("for"), Nodes: c.nodeIDs("on")}
	case "unreserve":
		return Unreserve{w.now, c.subject}
	case "clear":
		return NodeClear{w.now, core.NodeID(c.subject)}
	}
	return nil
}
