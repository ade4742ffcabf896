package pool

import (
	"slices"
	"time"

	"github.com/capstan-run/capstan/core"
)

// limits are the shelf's policy; see Config.
type limits struct {
	shapes      int
	executors   int
	depth       int
	ttl         time.Duration
	refillAfter time.Duration
	joinWithin  time.Duration
}

const (
	firstPause  = time.Second
	longPause   = time.Minute
	maxFailures = 5
)

// shelf decides what is to be warm. It is pure: time comes in, deeds go out.
// Not safe for concurrent use.
type shelf struct {
	limits  limits
	kinds   []*kind // used last comes first
	sets    []*entry
	lastSet int
}

// kind is a shape that is kept warm.
type kind struct {
	shape    Shape
	key      string
	size     int       // of a set: what was asked for last
	used     time.Time // last Warm or Take
	notUntil time.Time // no start before
	failures int       // in a row
}

// entry is a set the pool holds.
type entry struct {
	id      int
	kind    string // key
	size    int
	set     Set
	started bool            // the launcher has
	joined  map[string]bool // by executor
	ready   bool
	begun   time.Time
}

// deeds are what the shelf wants done.
type deeds struct {
	start []starting
	stop  []Set
}

type starting struct {
	id    int
	shape Shape
	size  int
}

func (d *deeds) add(o deeds) {
	d.start = append(d.start, o.start...)
	d.stop = append(d.stop, o.stop...)
}

// want keeps sets of n of a shape from now on.
func (s *shelf) want(now time.Time, shape Shape, n int) deeds {
	if n <= s.limits.executors { // a larger one can never be warm
		s.touch(now, shape, n)
	}
	return s.settle(now)
}

// take hands over a ready set with at least n members, cut to n; ok is false
// if there is none. Either way the shape has been used, unless n can never be
// warm.
func (s *shelf) take(now time.Time, shape Shape, n int) (set Set, ok bool, d deeds) {
	if n > s.limits.executors {
		return Set{}, false, deeds{}
	}
	k := s.touch(now, shape, n)
	best := -1
	for i, e := range s.sets {
		// The smallest that is large enough wastes least.
		if e.kind == k.key && e.ready && e.size >= n && (best < 0 || e.size < s.sets[best].size) {
			best = i
		}
	}
	k.notUntil = later(k.notUntil, now.Add(s.limits.refillAfter))
	if best < 0 {
		return Set{}, false, s.settle(now)
	}
	e := s.sets[best]
	s.sets = slices.Delete(s.sets, best, best+1)
	set = Set{Dir: e.set.Dir, Executors: e.set.Executors[:n:n]}
	d = s.settle(now)
	if n < e.size {
		// The directory goes with the set that was taken.
		d.stop = append(d.stop, Set{Executors: e.set.Executors[n:]})
	}
	return set, true, d
}

// furnished says who the members of a set will be. It reports false if the set
// is no longer wanted.
func (s *shelf) furnished(id int, set Set) bool {
	e := s.entry(id)
	if e == nil {
		return false
	}
	e.set = set
	return true
}

// started says what came of a start. A set that was given up meanwhile is to
// be stopped now.
func (s *shelf) started(now time.Time, id int, set Set, err error) deeds {
	e := s.entry(id)
	switch {
	case e == nil && err == nil:
		return deeds{stop: []Set{set}}
	case e == nil:
		return deeds{}
	case err != nil:
		s.drop(e)
		s.failed(now, e.kind)
		return s.settle(now)
	}
	e.started = true
	s.ripen(e)
	return s.settle(now)
}

// joined says that an executor has joined.
func (s *shelf) joined(now time.Time, executor string) deeds {
	for _, e := range s.sets {
		if slices.Contains(e.set.ids(), executor) {
			e.joined[executor] = true
			s.ripen(e)
			return s.settle(now)
		}
	}
	return deeds{}
}

// lost says that an executor is gone (law W3).
func (s *shelf) lost(now time.Time, executor string) deeds {
	for _, e := range s.sets {
		if slices.Contains(e.set.ids(), executor) {
			d := s.give(e)
			s.failed(now, e.kind)
			d.add(s.settle(now))
			return d
		}
	}
	return deeds{}
}

// tick does what has become due.
func (s *shelf) tick(now time.Time) deeds {
	var d deeds
	for _, e := range slices.Clone(s.sets) {
		if !e.ready && !now.Before(e.begun.Add(s.limits.joinWithin)) {
			d.add(s.give(e))
			s.failed(now, e.kind)
		}
	}
	s.kinds = slices.DeleteFunc(s.kinds, func(k *kind) bool {
		return !now.Before(k.used.Add(s.limits.ttl))
	})
	d.add(s.settle(now))
	return d
}

// next is when tick has something to do, zero if never.
func (s *shelf) next(now time.Time) time.Time {
	var at time.Time
	consider := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, e := range s.sets {
		if !e.ready {
			consider(e.begun.Add(s.limits.joinWithin))
		}
	}
	for _, k := range s.kinds {
		consider(k.used.Add(s.limits.ttl))
		if k.notUntil.After(now) {
			consider(k.notUntil)
		}
	}
	return at
}

// empty gives everything up.
func (s *shelf) empty() deeds {
	var d deeds
	s.kinds = nil
	for _, e := range slices.Clone(s.sets) {
		d.add(s.give(e))
	}
	return d
}

// touch makes a shape the one used last.
func (s *shelf) touch(now time.Time, shape Shape, n int) *kind {
	key := shape.key()
	i := slices.IndexFunc(s.kinds, func(k *kind) bool { return k.key == key })
	var k *kind
	if i < 0 {
		k = &kind{shape: shape.clone(), key: key}
	} else {
		k = s.kinds[i]
		s.kinds = slices.Delete(s.kinds, i, i+1)
	}
	k.used, k.size = now, n
	s.kinds = slices.Insert(s.kinds, 0, k)
	if len(s.kinds) > s.limits.shapes {
		s.kinds = s.kinds[:s.limits.shapes]
	}
	return k
}

// settle brings what is held to what is wanted: it gives up sets that are
// not, and starts at most one that is missing.
func (s *shelf) settle(now time.Time) deeds {
	var d deeds
	keep, missing := s.wanted()
	busy := false
	for _, e := range slices.Clone(s.sets) {
		if !keep[e] {
			d.add(s.give(e))
		} else if !e.ready {
			busy = true
		}
	}
	if busy {
		return d
	}
	for _, k := range missing {
		if now.Before(k.notUntil) {
			continue
		}
		s.lastSet++
		s.sets = append(s.sets, &entry{
			id: s.lastSet, kind: k.key, size: k.size, joined: map[string]bool{}, begun: now,
		})
		d.start = append(d.start, starting{s.lastSet, k.shape.clone(), k.size})
		break
	}
	return d
}

// wanted is which sets to keep, and the kinds of those that are missing, each
// kind's first before any second, the kind used last before the others, as far
// as the number of executors allows (law W5). A set smaller than what was asked
// for last is of no use.
func (s *shelf) wanted() (keep map[*entry]bool, missing []*kind) {
	keep = map[*entry]bool{}
	free := s.limits.executors
	for nth := range s.limits.depth {
		for _, k := range s.kinds {
			e, size := s.nth(k, nth), k.size
			if e != nil {
				size = e.size
			}
			switch {
			case size > free:
			case e != nil:
				free -= size
				keep[e] = true
			default:
				free -= size
				missing = append(missing, k)
			}
		}
	}
	return keep, missing
}

// standing counts, by node, the executors that are ready and those that should be.
func (s *shelf) standing() map[core.NodeID]Stand {
	all := map[core.NodeID]Stand{}
	keep, missing := s.wanted()
	for e := range keep {
		node := s.kind(e.kind).shape.Node
		st := all[node]
		st.Wanted += e.size
		if e.ready {
			st.Ready += e.size
		}
		all[node] = st
	}
	for _, k := range missing {
		st := all[k.shape.Node]
		st.Wanted += k.size
		all[k.shape.Node] = st
	}
	return all
}

// nth is the n-th useful set of a kind, nil if there are fewer.
func (s *shelf) nth(k *kind, n int) *entry {
	for _, e := range s.sets {
		if e.kind != k.key || e.size < k.size {
			continue
		}
		if n == 0 {
			return e
		}
		n--
	}
	return nil
}

// ripen makes a set ready once it is.
func (s *shelf) ripen(e *entry) {
	if e.started && len(e.joined) == len(e.set.Executors) {
		e.ready = true
		if k := s.kind(e.kind); k != nil {
			k.failures = 0
		}
	}
}

// give takes an entry off the shelf; what runs of it is to be stopped.
func (s *shelf) give(e *entry) deeds {
	s.drop(e)
	if !e.started {
		return deeds{} // its start is under way and will find it gone
	}
	return deeds{stop: []Set{e.set}}
}

func (s *shelf) drop(e *entry) {
	s.sets = slices.DeleteFunc(s.sets, func(o *entry) bool { return o == e })
}

func (s *shelf) failed(now time.Time, key string) {
	k := s.kind(key)
	if k == nil {
		return
	}
	k.failures++
	if k.failures >= maxFailures {
		s.kinds = slices.DeleteFunc(s.kinds, func(o *kind) bool { return o == k })
		return
	}
	k.notUntil = later(k.notUntil, now.Add(min(firstPause<<(k.failures-1), longPause)))
}

func (s *shelf) kind(key string) *kind {
	for _, k := range s.kinds {
		if k.key == key {
			return k
		}
	}
	return nil
}

func (s *shelf) entry(id int) *entry {
	for _, e := range s.sets {
		if e.id == id {
			return e
		}
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
