package simulate

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/core/gang"
)

// Log is the events of a scheduler's life, one JSON object a line, as
// gang.AppendEvent writes them. What was submitted is asked for again when it
// was, on the nodes that were there, all at once and from the beginning; each
// element of an array is a job that arrived with the array. Nodes do not fail
// in the replay, and nobody waits for anybody but for room.
type Log struct {
	Name string
	From io.Reader
}

// Workload reads the log. A line that is no event is an error.
func (l Log) Workload() (*Workload, error) {
	r := logReader{w: &Workload{Name: l.Name}, nodes: map[core.NodeID]int{}, asked: map[gang.ID]asked{}, runs: map[gang.ID]asked{}, turns: map[gang.ID]int{}}
	sc := bufio.NewScanner(l.From)
	sc.Buffer(nil, longestLine)
	for sc.Scan() {
		r.line++
		if len(sc.Bytes()) == 0 {
			continue
		}
		e, _, err := gang.ParseEvent(sc.Bytes())
		if err != nil {
			return nil, l.broken(r.line, err)
		}
		r.event(e)
	}
	if err := sc.Err(); err != nil {
		return nil, l.broken(r.line+1, err)
	}
	r.rest()
	r.fit()
	if len(r.w.Jobs) == 0 || len(r.w.Machine.Nodes) == 0 {
		e := core.Errorf(core.Invalid, "the log has no gang that ended on a known node")
		e.Where = l.Name
		return nil, e.Do("give the log from its first line, of a scheduler that has run something")
	}
	r.w.sort()
	return r.w, nil
}

func (l Log) broken(line int, err error) error {
	e := core.Errorf(core.Invalid, "line %d is no event of a scheduler: %v", line, err)
	e.Where = l.Name
	return e.Do("give a log of events as the scheduler wrote it, or a trace in the Standard Workload Format")
}

// asked is a request, and when something became of it.
type asked struct {
	request gang.Request
	at      int64
	line    int
}

type logReader struct {
	w     *Workload
	line  int
	nodes map[core.NodeID]int // index in the machine
	asked map[gang.ID]asked   // what waits or runs, when it was submitted
	runs  map[gang.ID]asked   // what runs, when it started
	turns map[gang.ID]int     // how many jobs were made of an ID
}

func (r *logReader) event(e gang.Event) {
	switch e := e.(type) {
	case gang.NodeUp:
		r.node(e.Node)
	case gang.NodeDown:
		r.w.note("a node went down: it stays up", r.line)
	case gang.Submit:
		if _, known := r.asked[e.Request.Gang]; !known {
			r.asked[e.Request.Gang] = asked{e.Request, e.Now, r.line}
		}
	case gang.Adopt:
		r.w.note("was running already when the log begins: left out", r.line)
	case gang.Started:
		if q, ok := r.find(e.Gang); ok {
			r.runs[e.Gang] = asked{q.request, e.Now, q.line}
		}
	case gang.Release:
		r.ended(e.Gang, e.Now)
	case gang.Cancel:
		r.ended(e.Gang, e.Now)
		if q, waits := r.asked[e.Gang]; waits {
			r.w.note("cancelled before it ran: left out", q.line)
			delete(r.asked, e.Gang)
		}
	}
}

func (r *logReader) node(n core.Node) {
	i, known := r.nodes[n.ID]
	if !known {
		i = len(r.w.Machine.Nodes)
		r.nodes[n.ID] = i
		r.w.Machine.Nodes = append(r.w.Machine.Nodes, n)
	}
	r.w.Machine.Nodes[i] = n
}

// find is what was asked for id, or for the array that it is an element of.
func (r *logReader) find(id gang.ID) (asked, bool) {
	if q, ok := r.asked[id]; ok {
		return q, true
	}
	if whole, _, ok := gang.ElementOf(id); ok {
		q, known := r.asked[whole]
		q.request.Gang, q.request.Array = id, nil
		return q, known
	}
	return asked{}, false
}

// ended makes a job of a gang that ran.
func (r *logReader) ended(id gang.ID, now int64) {
	start, ran := r.runs[id]
	q, known := r.find(id)
	if !ran || !known {
		return
	}
	delete(r.runs, id)
	delete(r.asked, id)
	j := Job{Request: q.request, Arrive: max(1, q.at), Run: max(0, now-start.at)}
	if w := q.request.When; w.Hold || w.Begin != 0 || w.Singleton || len(w.After) > 0 {
		r.w.note("was held back by more than room: arrives when it was submitted", q.line)
	}
	j.Request.When = gang.When{}
	if j.Request.Walltime <= 0 {
		r.w.note("no walltime is known: what it used stands for it", q.line)
		j.Request.Walltime = max(1, j.Run)
	}
	if r.turns[id]++; r.turns[id] > 1 {
		j.Request.Gang = gang.ID(fmt.Sprintf("%s#%d", id, r.turns[id]))
	}
	r.w.Jobs = append(r.w.Jobs, j)
}

// rest notes what had not ended when the log did.
func (r *logReader) rest() {
	var lines []int
	for _, left := range []map[gang.ID]asked{r.asked, r.runs} {
		for _, q := range left {
			if q.request.Array == nil {
				lines = append(lines, q.line)
			}
		}
	}
	slices.Sort(lines)
	for _, line := range slices.Compact(lines) {
		r.w.note("had not ended when the log did: left out", line)
	}
}

// fit leaves out what the nodes that are known last have no room for.
func (r *logReader) fit() {
	width := r.w.Machine.Width()
	r.w.Jobs = slices.DeleteFunc(r.w.Jobs, func(j Job) bool {
		if j.Width() > width {
			r.w.note("larger than the machine: left out", r.line)
		}
		return j.Width() > width
	})
}
