package algorithm

import (
	"context"

	"github.com/capstan-run/capstan/frameworks/bsp/graph"
)

// spread goes on from the vertices that were found, here and at the other ranks,
// until no message is on its way. It takes at least one Sync.
func (s *scc) spread(ctx context.Context, w *wave) error {
	for {
		if w.order != nil {
			w.order()
		} else {
			s.drain(w)
		}
		n, err := s.mail.send()
		if err != nil {
			return err
		}
		s.sent.Add(n)
		s.peer.Active(n)
		s.peer.Edges(s.followed)
		s.followed = 0
		s.left.Add(s.countLeft())
		if err := s.peer.Sync(ctx); err != nil {
			return err
		}
		s.mail.take(&s.crew, w.take)
		s.gatherFound()
		if s.sent.Value() == 0 {
			return nil
		}
	}
}

// wave is how something runs along edges.
type wave struct {
	lists []*graph.CSR
	order func()              // drains those that were found, in some order; nil: in any
	ready func(v uint32) bool // whether there is anything to tell of v; nil: there is
	push  func(core, list int, v uint32, row []uint32)
	take  func(core int, v uint32, value uint64)
}

// wide is how many vertices are gone on from by all cores at a time. Fewer are
// taken one by one, unless they have long rows.
const wide = 1 << 10

// drain goes on from those that were found until nobody else is.
func (s *scc) drain(w *wave) {
	for len(s.found[0]) > 0 {
		stack := s.found[0]
		if len(stack) < wide || s.crew.cores == 1 {
			v := stack[len(stack)-1]
			s.found[0] = stack[:len(stack)-1]
			if w.ready == nil || w.ready(v) {
				s.one[0] = v
				s.follow(w, s.one[:])
			}
			continue
		}
		s.found[0] = s.batch[:0]
		ready := stack[:0]
		for _, v := range stack {
			if w.ready == nil || w.ready(v) {
				ready = append(ready, v)
			}
		}
		s.follow(w, ready)
		s.batch = stack
	}
}

// follow tells of vertices along their rows.
func (s *scc) follow(w *wave, vertices []uint32) {
	edges := 0
	for k, list := range w.lists {
		if len(vertices) == 1 && list.Degree(int(vertices[0])) < leastWork {
			row := list.Row(int(vertices[0]))
			edges += len(row)
			w.push(0, k, vertices[0], row)
			continue
		}
		for _, v := range vertices {
			edges += list.Degree(int(v))
		}
		s.crew.parts(list, vertices, func(core, i int, row []uint32) { w.push(core, k, vertices[i], row) })
	}
	s.followed += int64(edges)
	s.gatherFound()
}

// gatherFound puts together what the cores have found.
func (s *scc) gatherFound() {
	for core := 1; core < len(s.found); core++ {
		s.found[0] = append(s.found[0], s.found[core]...)
		s.found[core] = s.found[core][:0]
	}
}
