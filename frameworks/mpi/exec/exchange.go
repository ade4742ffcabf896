package exec

import "context"

// fromRoot is bcast, scatter and scatterv.
func (s *shape) fromRoot() (*collective, error) {
	if s.r.command == cmdBcast {
		return s.bcast(), nil
	}
	if err := whole(s.r.kind, s.r.in.length); err != nil {
		return nil, err
	}
	if s.here() {
		if err := s.dealt(); err != nil {
			return nil, err
		}
	}
	return &collective{s.r.in.length, func(ctx context.Context, into []byte) error {
		if s.r.command == cmdScatter {
			return s.e.scatter(ctx, s.c, s.root(), s.data, into)
		}
		return s.e.scatterv(ctx, s.c, s.root(), s.data, s.r.count, into)
	}}, nil
}

// dealt checks what the root of a scatter gives.
func (s *shape) dealt() error {
	if s.r.command == cmdScatter {
		if uint64(len(s.data)) != s.r.in.length*s.size {
			return s.wrong("%d bytes for %d ranks of %d each", len(s.data), s.size, s.r.in.length)
		}
		return nil
	}
	if err := s.counts(s.size); err != nil {
		return err
	}
	if mine := s.r.count[s.c.Rank()]; mine != s.r.in.length {
		return s.wrong("root gives itself %d bytes and has room for %d", mine, s.r.in.length)
	}
	return s.adds(s.r.count)
}

func (s *shape) bcast() *collective {
	if s.here() {
		return &collective{0, func(ctx context.Context, into []byte) error {
			return s.e.bcast(ctx, s.c, s.root(), s.data)
		}}
	}
	return &collective{s.r.in.length, func(ctx context.Context, into []byte) error {
		return s.e.bcast(ctx, s.c, s.root(), into)
	}}
}

// toRoot is gather and gatherv.
func (s *shape) toRoot() (*collective, error) {
	c := &collective{run: func(ctx context.Context, into []byte) error {
		if s.r.command == cmdGather {
			return s.e.gather(ctx, s.c, s.root(), s.data, into)
		}
		return s.e.gatherv(ctx, s.c, s.root(), s.data, s.r.count, into)
	}}
	if !s.here() {
		return c, nil
	}
	if c.room = s.size * uint64(len(s.data)); s.r.command == cmdGather {
		return c, nil
	}
	if err := s.given(); err != nil {
		return nil, err
	}
	c.room = sum(s.r.count)
	return c, nil
}

// given checks the counts of what all ranks give.
func (s *shape) given() error {
	if err := s.counts(s.size); err != nil {
		return err
	}
	if mine := s.r.count[s.c.Rank()]; mine != uint64(len(s.data)) {
		return s.wrong("this rank counts itself with %d bytes and gives %d", mine, len(s.data))
	}
	return nil
}

func (s *shape) allgather() (*collective, error) {
	room := s.size * uint64(len(s.data))
	if s.r.command == cmdAllgatherv {
		if err := s.given(); err != nil {
			return nil, err
		}
		room = sum(s.r.count)
	}
	return &collective{room, func(ctx context.Context, into []byte) error {
		if s.r.command == cmdAllgather {
			return s.e.allgather(ctx, s.c, s.data, into)
		}
		return s.e.allgatherv(ctx, s.c, s.data, s.r.count, into)
	}}, nil
}

func (s *shape) alltoall() (*collective, error) {
	room, to, from := uint64(len(s.data)), []uint64(nil), []uint64(nil)
	if s.r.command == cmdAlltoallv {
		if err := s.counts(2 * s.size); err != nil {
			return nil, err
		}
		to, from = s.r.count[:s.size], s.r.count[s.size:]
		if err := s.adds(to); err != nil {
			return nil, err
		}
		room = sum(from)
	} else if room/uint64(s.e.width())%s.size != 0 {
		return nil, s.wrong("%d elements for %d ranks: as many for each belong here", room/uint64(s.e.width()), s.size)
	}
	return &collective{room, func(ctx context.Context, into []byte) error {
		if s.r.command == cmdAlltoall {
			return s.e.alltoall(ctx, s.c, s.data, into)
		}
		return s.e.alltoallv(ctx, s.c, s.data, to, into, from)
	}}, nil
}

// fold is the reductions.
func (s *shape) fold() (*collective, error) {
	if !s.e.knows(s.r.op) {
		return nil, s.wrong("operator %d is none for %s", s.r.op, s.r.kind)
	}
	room := uint64(len(s.data))
	switch s.r.command {
	case cmdReduce:
		if !s.here() {
			room = 0
		}
	case cmdExscan:
		if s.c.Rank() == 0 {
			room = 0
		}
	case cmdReduceScatter:
		if err := s.counts(s.size); err != nil {
			return nil, err
		}
		if err := s.adds(s.r.count); err != nil {
			return nil, err
		}
		room = s.r.count[s.c.Rank()]
	}
	return &collective{room, s.folding}, nil
}

// folding carries out a reduction; into has room for what this rank gets.
func (s *shape) folding(ctx context.Context, into []byte) error {
	if s.r.command == cmdReduceScatter {
		return s.e.reduceScatter(ctx, s.c, s.data, s.r.count, into, s.r.op)
	}
	if len(into) < len(s.data) { // this rank gets nothing
		into = aligned(len(s.data))
	}
	copy(into, s.data)
	switch s.r.command {
	case cmdReduce:
		return s.e.reduce(ctx, s.c, s.root(), into, s.r.op)
	case cmdScan:
		return s.e.scan(ctx, s.c, into, s.r.op)
	case cmdExscan:
		return s.e.exscan(ctx, s.c, into, s.r.op)
	}
	return s.e.allreduce(ctx, s.c, into, s.r.op)
}
