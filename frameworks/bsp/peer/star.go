package peer

import (
	"context"
	"fmt"
)

// star is the way over the mesh: words go to rank 0, and answers come from it.
type star struct{ out []byte }

func (s *star) close() {}

func (s *star) meet(ctx context.Context, b *barrier) error {
	if b.p.Rank() == 0 {
		return s.preside(ctx, b)
	}
	s.out = b.mine.append(s.out[:0])
	if err := b.p.mesh.Send(ctx, 0, tagBarrier, s.out); err != nil {
		return err
	}
	return s.hear(ctx, b, 0, &b.answer)
}

func (s *star) hear(ctx context.Context, b *barrier, from int, w *word) error {
	msg, err := b.p.mesh.Recv(ctx, from, tagBarrier)
	if err != nil {
		return err
	}
	defer msg.Release()
	if err := w.parse(msg.Bytes(), b.p.Size()); err != nil {
		return fmt.Errorf("barrier of rank %d: %w", from, err)
	}
	return nil
}

// preside is rank 0's side.
func (s *star) preside(ctx context.Context, b *barrier) error {
	b.words[0] = b.mine
	for r := 1; r < len(b.words); r++ {
		if err := s.hear(ctx, b, r, &b.words[r]); err != nil {
			return err
		}
	}
	counts := b.answer.counts
	b.answer = b.judge()
	b.answer.counts = counts
	for r := len(b.words) - 1; r >= 0; r-- {
		b.incoming(counts, r)
		if r == 0 {
			break
		}
		s.out = b.answer.append(s.out[:0])
		if err := b.p.mesh.Send(ctx, r, tagBarrier, s.out); err != nil {
			return err
		}
	}
	return nil
}
