package peer

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/capstan-run/capstan/core"
)

// intent is what a rank comes to a barrier for.
type intent uint8

const (
	toSync    intent = 1 + iota // the superstep has ended
	toEnd                       // the program has ended
	hasFailed                   // rank 0 alone: they cannot go on
)

// flags of a word and of the answer.
const (
	flagVote       = 1 << iota // votes to halt; answer: halted
	flagHold                   // no checkpoint now
	flagBusy                   // one is still being written
	flagCheckpoint             // answer: take one
)

// word is what a rank says at a barrier, and what it is answered. In an answer
// counts are of what each rank sent to this one, and rank is who failed.
//
//	0  uint8   intent
//	1  uint8   flags
//	2  uint16  zero
//	4  uint32  rank
//	8  uint64  superstep
//	16 uint64  messages to, or from, each rank
//	.. the aggregators' pairs, or the error's text
type word struct {
	intent intent
	flags  uint8
	rank   int
	step   int64
	counts []int64
	rest   []byte
}

const wordHead = 16

func (w *word) append(b []byte) []byte {
	b = append(b, byte(w.intent), w.flags, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(w.rank))
	b = binary.LittleEndian.AppendUint64(b, uint64(w.step))
	for _, n := range w.counts {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return append(b, w.rest...)
}

// parse reads a word; rest is part of b.
func (w *word) parse(b []byte, size int) error {
	if len(b) < wordHead+8*size {
		return errPiece
	}
	w.intent, w.flags = intent(b[0]), b[1]
	w.rank = int(binary.LittleEndian.Uint32(b[4:]))
	w.step = int64(binary.LittleEndian.Uint64(b[8:]))
	if len(w.counts) != size {
		w.counts = make([]int64, size)
	}
	for i := range w.counts {
		w.counts[i] = int64(binary.LittleEndian.Uint64(b[wordHead+8*i:]))
	}
	w.rest = append(w.rest[:0], b[wordHead+8*size:]...)
	return nil
}

// barrier is where all ranks meet: each says its word, and hears what one of
// them, who has heard all, makes of them.
type barrier struct {
	p      *Peer
	way    way
	mine   word
	answer word
	words  []word // of all ranks, at the one that judges
}

// way is how words and answers pass.
type way interface {
	// meet says b.mine, lets one rank judge b.words, and leaves b.answer.
	meet(ctx context.Context, b *barrier) error
	close()
}

func newBarrier(p *Peer, w way) *barrier {
	n := p.Size()
	return &barrier{p: p, way: w, mine: word{counts: make([]int64, n)}, answer: word{counts: make([]int64, n)}, words: make([]word, n)}
}

func (b *barrier) meet(ctx context.Context) error { return b.way.meet(ctx, b) }

// judge makes the answer of all words; its counts are for each rank its own.
func (b *barrier) judge() word {
	answer := word{intent: b.words[0].intent, step: b.words[0].step, rest: b.answer.rest[:0]}
	var votes, holds, messages int
	for r := range b.words {
		w := &b.words[r]
		if w.intent != answer.intent || w.step != answer.step {
			return failure(r, w.step, fmt.Sprintf("%s while %s: all ranks call Sync equally often", w.doing(), b.words[0].doing()))
		}
		if w.flags&flagVote != 0 {
			votes++
		}
		if w.flags&(flagHold|flagBusy) != 0 {
			holds++
		}
		for _, n := range w.counts {
			messages += int(n)
		}
	}
	if answer.intent == toEnd {
		return answer
	}
	rest, err := b.p.aggregates.combine(answer.rest, b.words)
	if err != nil {
		return failure(b.p.Rank(), answer.step, err.Error())
	}
	answer.rest = rest
	if votes == len(b.words) && messages == 0 {
		answer.flags |= flagVote
	}
	if holds == 0 && b.p.policy.due(answer.step+1) {
		answer.flags |= flagCheckpoint
	}
	return answer
}

// incoming fills in what each rank sent to rank r.
func (b *barrier) incoming(counts []int64, r int) {
	for from := range b.words {
		counts[from] = b.words[from].counts[r]
	}
}

func (w *word) doing() string {
	if w.intent == toEnd {
		return fmt.Sprintf("the program of rank %d ended in superstep %d", w.rank, w.step)
	}
	return fmt.Sprintf("rank %d ended superstep %d", w.rank, w.step)
}

func failure(rank int, step int64, text string) word {
	return word{intent: hasFailed, rank: rank, step: step, rest: []byte(text)}
}

// verdict is the error of an answer that is a failure.
func (w *word) verdict() error {
	if w.intent != hasFailed {
		return nil
	}
	return &RankError{Rank: w.rank, Superstep: w.step, Text: string(w.rest)}
}

// RankError says which rank's program failed, to the others.
type RankError struct {
	Rank      int
	Superstep int64
	Text      string
}

func (e *RankError) Error() string {
	return fmt.Sprintf("rank %d in superstep %d: %s", e.Rank, e.Superstep, e.Text)
}

// Unwrap gives the error for the user.
func (e *RankError) Unwrap() error {
	return core.Errorf(core.Failed, "%s", e.Text).At(fmt.Sprintf("rank %d, superstep %d", e.Rank, e.Superstep))
}
