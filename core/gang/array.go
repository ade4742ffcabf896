package gang

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// array is what became of the elements of one: intervals of their places, from
// 0, whatever their indexes. An element that runs is a member of its own; one
// that waits or has ended is only a number in a set.
type array struct {
	job     core.JobID
	waits   spans // not granted yet, or sent back
	ok      spans
	failed  spans
	granted int // elements that hold nodes
}

// Element names the gang of an array's element: "job/main[17]".
func Element(whole ID, index int64) ID { return ID(fmt.Sprintf("%s[%d]", whole, index)) }

// ElementOf is the array that an element belongs to and its index, if id is an
// element's.
func ElementOf(id ID) (whole ID, index int64, ok bool) {
	rest, ok := strings.CutSuffix(string(id), "]")
	i := strings.LastIndexByte(rest, '[')
	if !ok || i < 0 {
		return id, 0, false
	}
	index, err := strconv.ParseInt(rest[i+1:], 10, 64)
	return ID(rest[:i]), index, err == nil
}

func newArray(q *Request) *array {
	a := &array{job: q.Job}
	if n := q.Array.Len(); n > 0 {
		a.waits = spans{{0, n - 1}}
	}
	return a
}

// over reports whether no element waits or runs.
func (a *array) over() bool { return len(a.waits) == 0 && a.granted == 0 }

// nextElement is the element of g to be granted next, if one may be.
func (s *Scheduler) nextElement(g *member) (int, bool) {
	if most := g.Array.AtOnce; most > 0 && g.array.granted >= most {
		return 0, false
	}
	within, all := s.elementsFree(g)
	return g.array.waits.first(within, all)
}

// elementsReady is how many elements of g may be granted.
func (s *Scheduler) elementsReady(g *member) int {
	within, all := s.elementsFree(g)
	n := g.array.waits.len()
	if !all {
		n = intersect(g.array.waits, within).len()
	}
	if most := g.Array.AtOnce; most > 0 {
		n = min(n, max(0, most-g.array.granted))
	}
	return n
}

// elementsFree is the elements of g that no dependency of theirs holds back.
// all means every one.
func (s *Scheduler) elementsFree(g *member) (within spans, all bool) {
	all = true
	for _, d := range g.When.After {
		if !d.Each {
			continue
		}
		free := s.elementsEnded(d)
		if all {
			within, all = free, false
			continue
		}
		within = intersect(within, free)
	}
	return within, all
}

// elementsEnded is the elements of the arrays of d.Job that ended as d wants.
func (s *Scheduler) elementsEnded(d core.Dependency) spans {
	var out spans
	j := s.jobs[d.Job]
	if j == nil {
		return nil
	}
	for _, a := range j.arrays {
		if d.Ended != "failed" {
			out = union(out, a.ok)
		}
		if d.Ended != "" && d.Ended != "ok" {
			out = union(out, a.failed)
		}
	}
	return out
}

func union(a, b spans) spans {
	out := make(spans, 0, len(a)+len(b))
	for i, j := 0, 0; i < len(a) || j < len(b); {
		var v span
		if j == len(b) || i < len(a) && a[i].First <= b[j].First {
			v, i = a[i], i+1
		} else {
			v, j = b[j], j+1
		}
		if n := len(out); n > 0 && v.First <= out[n-1].Last+1 {
			out[n-1].Last = max(out[n-1].Last, v.Last)
		} else {
			out = append(out, v)
		}
	}
	return out
}

func intersect(a, b spans) spans {
	var out spans
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if lo, hi := max(a[i].First, b[j].First), min(a[i].Last, b[j].Last); lo <= hi {
			out = append(out, span{lo, hi})
		}
		if a[i].Last < b[j].Last {
			i++
		} else {
			j++
		}
	}
	return out
}

// take makes a member of the n-th element of g.
func (s *Scheduler) take(g *member, n int) *member {
	g.array.waits.remove(n)
	g.array.granted++
	s.number++
	e := &member{Request: g.Request, number: s.number, phase: waiting, ask: g.ask, queue: g.queue,
		arrived: g.arrived, whole: g, element: n}
	e.Gang, e.Array, e.When = Element(g.Gang, g.Array.Index(n)), nil, When{}
	s.gangs[e.Gang], s.byNumber[e.number] = e, e
	return e
}

// elementBack sends an element that was not to run back to its array.
func (s *Scheduler) elementBack(e *member) {
	g := e.whole
	g.array.granted--
	g.array.waits.add(e.element)
	g.revokes, g.avoid = max(g.revokes, e.revokes), e.avoid
	delete(s.gangs, e.Gang)
	delete(s.byNumber, e.number)
	s.lineUp(g)
}

// elementEnded records how an element ended, and lets go who waited for it.
func (s *Scheduler) elementEnded(e *member, how Ending) {
	g := e.whole
	g.array.granted--
	switch how {
	case OK:
		g.array.ok.add(e.element)
	default:
		g.array.failed.add(e.element)
	}
	s.lineUp(g)
	s.reconsider(s.jobs[g.Job])
}

// elementsKnown puts what ended in an earlier life into an array.
func (s *Scheduler) elementsKnown(e ElementsEnded) {
	g := s.gangs[e.Gang]
	if g == nil || g.array == nil {
		return
	}
	for _, list := range []struct {
		ranges []core.ArrayRange
		into   *spans
	}{{e.OK, &g.array.ok}, {e.Failed, &g.array.failed}} {
		for _, r := range list.ranges {
			for i := r.First; i <= r.Last; i += max(1, r.Step) {
				if n, ok := g.Array.Place(i); ok && g.array.waits.has(n) {
					g.array.waits.remove(n)
					list.into.add(n)
				}
			}
		}
	}
	s.recheck(g)
	s.reconsider(s.jobs[g.Job])
}

// claimElements makes the adopted elements of an array its own.
func (s *Scheduler) claimElements(g *member) {
	for _, e := range s.job(g.Job).gangs {
		whole, index, ok := ElementOf(e.Gang)
		if !ok || whole != g.Gang || e.whole != nil {
			continue
		}
		if n, ok := g.Array.Place(index); ok {
			e.whole, e.element = g, n
			g.array.waits.remove(n)
			g.array.granted++
		}
	}
}
