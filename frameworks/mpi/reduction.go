package mpi

import (
	"context"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// reducer is an operator over elements of a size, for those who know bytes.
type reducer struct {
	size    int
	combine func(into, from []byte)
}

func reducing[T any](op Op[T]) reducer {
	return reducer{sizeOf[T](), func(into, from []byte) { op(valuesOf[T](into), valuesOf[T](from)) }}
}

// partial is a combination of ranks in a row, on its way to be of more. It is in
// one of two buffers, since what a lower rank sent comes before it.
type partial struct {
	r     reducer
	here  []byte
	spare []byte
}

// after makes p what m has, of the ranks before, combined with p.
func (p *partial) after(m *mesh.Message) {
	if p.spare == nil {
		p.spare = make([]byte, len(p.here))
	}
	copy(p.spare, m.Bytes())
	m.Release()
	if len(p.here) > 0 {
		p.r.combine(p.spare, p.here)
	}
	p.here, p.spare = p.spare, p.here
}

// before makes p itself combined with what m has, of the ranks after.
func (p *partial) before(m *mesh.Message) {
	if len(p.here) > 0 {
		p.r.combine(p.here, m.Bytes())
	}
	m.Release()
}

// doubleBelow is the length from which sending less costs less than fewer steps.
const doubleBelow = 64 << 10

func (s steps) allreduce(ctx context.Context, b []byte, r reducer) error {
	if s.c.size == 1 {
		return nil
	}
	if len(b) < doubleBelow || s.c.size > len(b)/max(r.size, 1) {
		return s.doubling(ctx, b, r)
	}
	parts := s.shares(b, r.size)
	if err := s.reduceScatter(ctx, parts, parts[s.c.rank], r); err != nil {
		return err
	}
	return s.ring(ctx, parts)
}

// doubling is recursive doubling: Thakur, Rabenseifner, Gropp, "Optimization of
// Collective Communication Operations in MPICH", 2005. Where the number of ranks
// is no power of two, pairs of neighbours first become one. What is combined
// always covers ranks in a row, so that the order is kept.
func (s steps) doubling(ctx context.Context, b []byte, r reducer) error {
	n, me := s.c.size, s.c.rank
	full := 1
	for full*2 <= n {
		full *= 2
	}
	paired := 2 * (n - full) // the ranks before it become one with a neighbour
	p := partial{r: r, here: b}
	if me < paired {
		if me%2 == 0 {
			if err := s.send(ctx, me+1, b); err != nil {
				return err
			}
			return s.recv(ctx, me+1, b)
		}
		m, err := s.take(ctx, me-1, len(b))
		if err != nil {
			return err
		}
		p.after(m)
	}
	if err := s.double(ctx, &p, full, paired); err != nil {
		return err
	}
	copy(b, p.here) // nothing, where it lies there
	if me < paired {
		return s.send(ctx, me-1, b)
	}
	return nil
}

func (s steps) double(ctx context.Context, p *partial, full, paired int) error {
	place := s.c.rank - paired/2
	if s.c.rank < paired {
		place = s.c.rank / 2
	}
	for d := 1; d < full; d *= 2 {
		peer := place ^ d
		rank := peer + paired/2
		if peer < paired/2 {
			rank = 2*peer + 1
		}
		m, err := s.swap(ctx, rank, p.here, rank, len(p.here))
		if err != nil {
			return err
		}
		if peer < place {
			p.after(m)
		} else {
			p.before(m)
		}
	}
	return nil
}

// reduceScatter gives each rank its part from all: each combines what it gets in
// the order of ranks. That is pairwise exchange, but for the order, which costs
// nothing where messages wait in memory.
func (s steps) reduceScatter(ctx context.Context, parts [][]byte, into []byte, r reducer) error {
	n, me := s.c.size, s.c.rank
	if len(into) != len(parts[me]) {
		return core.Errorf(core.Invalid, "this rank's share is %d elements, and it has room for %d", len(parts[me])/max(r.size, 1), len(into)/max(r.size, 1))
	}
	posted := make([]*mesh.Posted, n)
	for d := 1; d < n; d++ {
		from := (me + d) % n
		var err error
		if posted[from], err = s.post(from); err != nil {
			return err
		}
	}
	for d := 1; d < n; d++ {
		if err := s.send(ctx, (me+d)%n, parts[(me+d)%n]); err != nil {
			return err
		}
	}
	return s.combineAll(ctx, posted, parts[me], into, r)
}

// combineAll combines own and what was posted, in the order of ranks.
func (s steps) combineAll(ctx context.Context, posted []*mesh.Posted, own, into []byte, r reducer) error {
	back, here := s.c.w.borrow(len(own))
	defer s.c.w.scratch.Put(back)
	p := partial{r: r, here: here}
	if s.c.rank == 0 {
		copy(here, own)
	} else if err := s.awaitInto(ctx, posted[0], 0, here); err != nil {
		return err
	}
	for from := 1; from < len(posted); from++ {
		if from == s.c.rank {
			if len(own) > 0 {
				r.combine(p.here, own)
			}
			continue
		}
		m, err := s.await(ctx, posted[from], from, len(own))
		if err != nil {
			return err
		}
		p.before(m)
	}
	copy(into, p.here)
	return nil
}

// reduce is a binomial tree over the ranks as they are numbered, since rotating
// them would change the order; rank 0 sends the result to root.
func (s steps) reduce(ctx context.Context, root int, b []byte, r reducer) error {
	if err := s.c.checkRoot(root); err != nil {
		return err
	}
	n, me := s.c.size, s.c.rank
	back, here := s.c.w.borrow(len(b))
	defer s.c.w.scratch.Put(back)
	p := partial{r: r, here: here}
	copy(here, b)
	for d := 1; d < n; d *= 2 {
		if me&d != 0 {
			if err := s.send(ctx, me-d, p.here); err != nil {
				return err
			}
			break
		}
		if me+d < n {
			m, err := s.take(ctx, me+d, len(b))
			if err != nil {
				return err
			}
			p.before(m)
		}
	}
	switch {
	case me == 0 && root == 0:
		copy(b, p.here)
	case me == 0:
		return s.send(ctx, root, p.here)
	case me == root:
		return s.recv(ctx, 0, b)
	}
	return nil
}

// scan doubles how far back each rank has combined: Hillis, Steele, "Data
// Parallel Algorithms", 1986.
func (s steps) scan(ctx context.Context, b []byte, r reducer) error {
	n, me := s.c.size, s.c.rank
	back, here := s.c.w.borrow(len(b))
	defer s.c.w.scratch.Put(back)
	p := partial{r: r, here: here}
	copy(here, b)
	for d := 1; d < n; d *= 2 {
		var posted *mesh.Posted
		var err error
		if me-d >= 0 {
			if posted, err = s.post(me - d); err != nil {
				return err
			}
		}
		if me+d < n {
			if err := s.send(ctx, me+d, p.here); err != nil {
				return err
			}
		}
		if posted != nil {
			m, err := s.await(ctx, posted, me-d, len(b))
			if err != nil {
				return err
			}
			p.after(m)
		}
	}
	copy(b, p.here)
	return nil
}

// exscan is a scan whose result goes on to the next rank.
func (s steps) exscan(ctx context.Context, b []byte, r reducer) error {
	n, me := s.c.size, s.c.rank
	own := append(make([]byte, 0, len(b)), b...)
	if err := s.scan(ctx, own, r); err != nil {
		return err
	}
	if me+1 < n {
		if err := s.send(ctx, me+1, own); err != nil {
			return err
		}
	}
	if me > 0 {
		return s.recv(ctx, me-1, b)
	}
	return nil
}
