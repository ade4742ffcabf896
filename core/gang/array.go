package gang

import (
	"slices"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
)

// array is what became of the elements of one: intervals of their places, from
// 0, whatever their indexes. An element that runs is a member of its own; one
// that waits or has ended is only a number in a set.
type array struct {
	of      *core.Array
	each    *Request // what an element asks; Gang is the array's
	waits   spans    // not granted yet, or sent back
	ok      spans
	failed  spans
	granted int  // elements that hold nodes
	begun   bool // an element was granted once
}

// Element names the gang of an array's element: "job/main[17]".
func Element(whole ID, index int64) ID {
	b := make([]byte, 0, len(whole)+len("[1000000]"))
	b = strconv.AppendInt(append(append(b, whole...), '['), index, 10)
	return ID(append(b, ']'))
}

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
	each := *q
	each.Array, each.When = nil, When{}
	a := &array{of: q.Array, each: &each}
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
		if j := s.jobs[d.Job]; !d.Each || j == nil || len(j.arrays) == 0 {
			continue // it holds back all or none
		}
		free := s.elementsEnded(d, g.Array)
		if all {
			within, all = free, false
			continue
		}
		within = intersect(within, free)
	}
	return within, all
}

// elementsEnded is the elements of the arrays of d.Job that ended as d wants, as
// places in an array with the same indexes.
func (s *Scheduler) elementsEnded(d core.Dependency, in *core.Array) spans {
	var out spans
	j := s.jobs[d.Job]
	if j == nil {
		return nil
	}
	for _, a := range j.arrays {
		if d.Ended != "failed" {
			out = union(out, translate(a.ok, a.of, in))
		}
		if d.Ended != "" && d.Ended != "ok" {
			out = union(out, translate(a.failed, a.of, in))
		}
	}
	return out
}

// take makes a member of the n-th element of g.
func (s *Scheduler) take(g *member, n int) *member {
	g.array.waits.remove(n)
	g.array.granted++
	g.array.begun = true
	s.number++
	e := &member{Request: g.array.each, Gang: Element(g.Gang, g.Array.Index(n)), job: s.jobOf(g), number: s.number, phase: waiting,
		ask: g.ask, queue: g.queue, target: g.Size, arrived: g.arrived, revokes: g.revokes, avoid: slices.Clone(g.avoid), whole: g, element: n}
	s.gangs[e.Gang] = e
	return e
}

// elementBack sends an element that was not to run back to its array.
func (s *Scheduler) elementBack(e *member) {
	g := e.whole
	g.array.granted--
	g.array.waits.add(e.element)
	g.revokes, g.avoid = max(g.revokes, e.revokes), e.avoid
	s.unname(e)
	s.recheck(g)
}

// elementEnded records how an element ended, and lets go who waited for it. One
// of which nothing is said waits again.
func (s *Scheduler) elementEnded(e *member, how Ending) {
	if how == Unsaid {
		s.elementBack(e)
		return
	}
	g := e.whole
	g.array.granted--
	switch how {
	case OK:
		g.array.ok.add(e.element)
	default:
		g.array.failed.add(e.element)
	}
	s.recheck(g)
	s.reconsider(s.knownJob(g))
}

// cancelElement ends an element of an array that waits.
func (s *Scheduler) cancelElement(id ID) {
	whole, index, ok := ElementOf(id)
	g := s.gangs[whole]
	if !ok || g == nil || g.array == nil {
		return
	}
	if n, ok := g.Array.Place(index); ok && g.array.waits.has(n) {
		g.array.waits.remove(n)
		g.array.failed.add(n)
		s.recheck(g)
		s.reconsider(s.knownJob(g))
	}
}

// elementsKnown puts what ended in an earlier life into an array.
func (s *Scheduler) elementsKnown(e ElementsEnded) {
	g := s.gangs[e.Gang]
	switch {
	case g == nil && e.Over != nil:
		s.arrayOver(e)
		return
	case g == nil:
		s.early[e.Gang] = e
		return
	}
	if g.array == nil {
		return
	}
	s.endElements(g, e)
	s.recheck(g)
	s.reconsider(s.knownJob(g))
}

// arrayOver remembers an array that ended in an earlier life.
func (s *Scheduler) arrayOver(e ElementsEnded) {
	name, _, _ := strings.Cut(string(e.Gang), "/")
	j := s.job(core.JobID(name))
	if j.known {
		return // it is remembered as it ran
	}
	s.asides.addJob(j)
	j.arrays = append(j.arrays, &array{of: e.Over, ok: placesOf(e.OK, e.Over), failed: placesOf(e.Failed, e.Over), begun: true})
	s.reconsider(j)
}

func (s *Scheduler) endElements(g *member, e ElementsEnded) {
	for _, list := range []struct {
		ranges []core.ArrayRange
		into   *spans
	}{{e.OK, &g.array.ok}, {e.Failed, &g.array.failed}} {
		ended := intersect(g.array.waits, placesOf(list.ranges, g.Array))
		g.array.waits = subtract(g.array.waits, ended)
		*list.into = union(*list.into, ended)
	}
	g.array.begun = g.array.begun || g.array.ok != nil || g.array.failed != nil
}

// claimElements makes the adopted elements of an array its own.
func (s *Scheduler) claimElements(g *member) {
	for _, e := range s.jobOf(g).gangs {
		whole, index, ok := ElementOf(e.Gang)
		if !ok || whole != g.Gang || e.whole != nil {
			continue
		}
		if n, ok := g.Array.Place(index); ok {
			e.whole, e.element = g, n
			g.array.waits.remove(n)
			g.array.granted++
			g.array.begun = true
		}
	}
}
