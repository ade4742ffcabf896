package graph

import (
	"context"

	"github.com/capstan-run/capstan/frameworks/bsp/column"
)

// present marks a place that has a vertex. Degrees are below.
const present = 1 << 31

// counts is the degrees of the whole graph by place, the same on all ranks.
type counts struct {
	out []uint32 // undirected: all edges; with present
	in  []uint32 // directed graphs only
}

// tally counts the edges of each vertex: those of this rank first, then each
// rank sums a range of places, and tells all.
func (l *loading) tally(ctx context.Context) error {
	l.count.out = make([]uint32, l.space)
	if l.c.Directed {
		l.count.in = make([]uint32, l.space)
	}
	for i, r := range l.readers {
		places := l.places[i]
		err := r.log.each(false, func(c *chunk) error {
			l.tallyChunk(c, places)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if l.p.Size() == 1 {
		return nil
	}
	if err := l.reduce(ctx, kindOut, l.count.out); err != nil || !l.c.Directed {
		return err
	}
	return l.reduce(ctx, kindIn, l.count.in)
}

func (l *loading) tallyChunk(c *chunk, places []uint32) {
	out, in := l.count.out, l.count.in
	for i, s := range c.source[:c.n] {
		t := c.target[i]
		if places != nil {
			s = places[s]
			if t != absent {
				t = places[t]
			}
		}
		if t == absent {
			out[s] |= present
			continue
		}
		out[s] = (out[s] + 1) | present
		switch {
		case in != nil:
			in[t]++
			out[t] |= present
		case s != t:
			out[t] = (out[t] + 1) | present
		}
	}
}

// reduce adds up the ranks' counts, in place. It takes two Syncs.
func (l *loading) reduce(ctx context.Context, kind uint32, sum []uint32) error {
	p := l.p
	first := func(r int) int { return len(sum) * r / p.Size() }
	for to := range p.Size() {
		if to == p.Rank() {
			continue
		}
		if err := column.Send(p, to, kind, sum[first(to):first(to+1)]); err != nil {
			return err
		}
	}
	if err := p.Sync(ctx); err != nil {
		return err
	}
	mine := sum[first(p.Rank()):first(p.Rank()+1)]
	if err := column.Each(p, kind, func(_, at int, values []uint32) error {
		for i, v := range values {
			m := mine[at+i]
			mine[at+i] = (m+v)&^present | (m|v)&present
		}
		return nil
	}); err != nil {
		return err
	}
	return l.tellAll(ctx, kindAll, mine, func(from, at int, values []uint32) error {
		copy(sum[first(from)+at:], values)
		return nil
	})
}

// tellAll sends values to all other ranks and takes theirs.
func (l *loading) tellAll(ctx context.Context, kind uint32, values []uint32, take func(from, at int, values []uint32) error) error {
	for to := range l.p.Size() {
		if to == l.p.Rank() {
			continue
		}
		if err := column.Send(l.p, to, kind, values); err != nil {
			return err
		}
	}
	if err := l.p.Sync(ctx); err != nil {
		return err
	}
	return column.Each(l.p, kind, take)
}
