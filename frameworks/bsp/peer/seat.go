package peer

import (
	"context"
	"encoding/binary"

	"github.com/capstan-run/capstan/frameworks/bsp/peer/table"
)

// seat is the way within a host. The answer is one for all ranks, with the
// counts of what each sent to each before it.
type seat struct {
	table   *table.Table
	out, in []byte
}

func (s *seat) close() { s.table.Close() }

func (s *seat) meet(ctx context.Context, b *barrier) (err error) {
	n := b.p.Size()
	s.out = b.mine.append(s.out[:0])
	var malformed error
	s.in, err = s.table.Meet(s.out, s.in[:0], func(words [][]byte) []byte {
		for r := range words {
			if err := b.words[r].parse(words[r], n); err != nil {
				malformed = err
			}
		}
		return s.answer(b, malformed)
	}, ctx.Err)
	if err != nil {
		return err
	}
	matrix := 8 * n * n
	if malformed != nil || len(s.in) < matrix {
		return errPiece
	}
	if err := b.answer.parse(s.in[matrix:], n); err != nil {
		return err
	}
	for from := range n {
		b.answer.counts[from] = int64(binary.LittleEndian.Uint64(s.in[8*(from*n+b.p.Rank()):]))
	}
	return nil
}

func (s *seat) answer(b *barrier, malformed error) []byte {
	answer := failure(b.p.Rank(), b.mine.step, errPiece.Error())
	if malformed == nil {
		answer = b.judge()
	}
	answer.counts = b.mine.counts
	s.out = s.out[:0]
	for from := range b.words {
		for _, n := range b.words[from].counts {
			s.out = binary.LittleEndian.AppendUint64(s.out, uint64(n))
		}
	}
	s.out = answer.append(s.out)
	return s.out
}
