package mpi

import (
	"context"
	"encoding/binary"
	"math/bits"

	"github.com/capstan-run/capstan/core"
)

// agree finds a context that no communicator of any rank of s has, as MPICH does:
// all combine what each has free, and take the first.
func (s steps) agree(ctx context.Context) (uint32, error) {
	w := s.c.w
	free := make([]byte, contexts/8)
	w.mu.Lock()
	for i, used := range w.used {
		binary.LittleEndian.PutUint64(free[8*i:], ^used)
	}
	w.mu.Unlock()
	if err := s.doubling(ctx, free, reducing(BitAnd[uint64])); err != nil {
		return 0, err
	}
	for i := range w.used {
		if word := binary.LittleEndian.Uint64(free[8*i:]); word != 0 {
			context := uint32(64*i + bits.TrailingZeros64(word))
			w.take(context)
			return context, nil
		}
	}
	return 0, core.Errorf(core.Invalid, "all %d communicators are in use", contexts).Do("free those that are not needed any more")
}

func (w *world) take(context uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.used[context/64] |= 1 << (context % 64)
}

func (w *world) release(context uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.used[context/64] &^= 1 << (context % 64)
}
