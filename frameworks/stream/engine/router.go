package engine

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/frameworks/stream/topology"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// router deals the batches of an edge out to the reader's tasks.
type router struct {
	kind   topology.GroupingKind
	fields []int // columns
	groups int
	links  []*Link // by the reader's task
	turn   int
	dealt  []int64 // rows, by task: what partial keys go by
	hashes []uint64
	ids    []int32
}

func newRouter(e topology.Edge, fields []topology.Field, groups int, links []*Link) *router {
	r := &router{kind: e.Grouping.Kind, groups: groups, links: links, dealt: make([]int64, len(links))}
	for _, name := range e.Grouping.Fields {
		r.fields = append(r.fields, topology.Index(fields, name))
	}
	return r
}

// parcel is a batch on its way to a link.
type parcel struct {
	link *Link
	rec  arrow.Record
}

// unpinned is the pin of tuples whose task nobody was told.
const unpinned = -1

// deal adds to box what of rec goes where. rec stays the caller's.
func (r *router) deal(box []parcel, pin int, rec arrow.Record) ([]parcel, error) {
	send := func(i int, rec arrow.Record) { box = append(box, parcel{r.links[i], rec}) }
	switch {
	case r.kind == topology.All:
		for i := range r.links {
			rec.Retain()
			send(i, rec)
		}
	case len(r.links) == 1 || r.kind == topology.Global:
		rec.Retain()
		send(0, rec)
	case r.kind == topology.ByFields || r.kind == topology.PartialKey:
		parts, err := r.scatter(rec, pin)
		if err != nil {
			return box, err
		}
		for i, part := range parts {
			if part != nil {
				send(i, part)
			}
		}
	case pin != unpinned:
		rec.Retain()
		send(pin%len(r.links), rec)
	default:
		rec.Retain()
		send(r.emptiest(), rec)
	}
	return box, nil
}

// emptiest is the task whose link has the most room; of equals the next in turn.
func (r *router) emptiest() int {
	best, room := 0, int64(-1<<62)
	for k := range r.links {
		i := (r.turn + k) % len(r.links)
		if n := r.links[i].Room(); n > room {
			best, room = i, n
		}
	}
	r.turn = best + 1
	return best
}

// scatter deals rows out by their key (law N4).
func (r *router) scatter(rec arrow.Record, pin int) ([]arrow.Record, error) {
	n := int(rec.NumRows())
	if cap(r.hashes) < n {
		r.hashes, r.ids = make([]uint64, n), make([]int32, n)
	}
	r.hashes, r.ids = r.hashes[:n], r.ids[:n]
	if err := partition.HashColumns(rec, r.fields, r.hashes); err != nil {
		return nil, err
	}
	for i, h := range r.hashes {
		to := topology.TaskOf(partition.Of(h, r.groups), r.groups, len(r.links))
		if r.kind == topology.PartialKey {
			if other := int(h % uint64(len(r.links))); pin == unpinned {
				to = r.lighter(to, other)
			} else if pin%2 == 1 {
				to = other
			}
			r.dealt[to]++
		}
		r.ids[i] = int32(to)
	}
	return partition.Scatter(memory.DefaultAllocator, rec, r.ids, len(r.links))
}

// lighter is the one of a key's two tasks that got less so far (Nasir et al.,
// The Power of Both Choices, 2015).
func (r *router) lighter(a, b int) int {
	if r.dealt[b] < r.dealt[a] {
		return b
	}
	return a
}
