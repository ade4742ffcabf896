package shuffle

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/checksum"
	"github.com/capstan-run/capstan/shuffle/store"
)

// want is a partition on its way up the ladder.
type want struct {
	number int
	part   *Partition
	buf    *memory.Buffer // its verified bytes, nil until a rung had them
	rung   Rung
	mapped bool    // buf is part of a mapped file
	errs   []error // why each rung so far had no answer
}

// window is partitions that lie side by side and are read together.
type window struct {
	off, length int64
	wants       []*want
	buf         *memory.Buffer // what a rung read
	mapped      bool           // it is part of a mapped file
	err         error          // or why it did not
}

// windows groups wants, in the order of their offsets, into windows of at most
// limit bytes, or one partition. Partitions in the same place, those of a
// broadcast, are read once.
func windows(wants []*want, limit int64) []window {
	var out []window
	for _, w := range wants {
		if n := len(out); n > 0 && out[n-1].take(w, limit) {
			continue
		}
		out = append(out, window{off: w.part.Offset, length: w.part.Length, wants: []*want{w}})
	}
	return out
}

func (x *window) take(w *want, limit int64) bool {
	end := x.off + x.length
	switch {
	case w.part.Offset >= x.off && w.part.Offset+w.part.Length <= end:
	case w.part.Offset == end && x.length+w.part.Length <= limit:
		x.length += w.part.Length
	default:
		return false
	}
	x.wants = append(x.wants, w)
	return true
}

// deal gives every want of the window its part of what was read, if that is
// intact, and lets go of the rest.
func (x *window) deal(rung Rung, where string, m *Metrics) {
	for _, w := range x.wants {
		err := x.err
		if err == nil {
			at := int(w.part.Offset - x.off)
			if err = verify(x.buf.Bytes()[at:at+int(w.part.Length)], w.part); err == nil {
				w.buf, w.rung, w.mapped = sliceOf(x.buf, at, int(w.part.Length)), rung, x.mapped
				continue
			}
		}
		m.fell(errors.Is(err, ErrCorrupt))
		w.errs = append(w.errs, fmt.Errorf("%s: %w", where, err))
	}
	if x.buf != nil {
		x.buf.Release()
	}
}

// sliceOf is n bytes of buf from off on, retained. A record over all of buf
// holds it without a buffer in between.
func sliceOf(buf *memory.Buffer, off, n int) *memory.Buffer {
	if n == buf.Len() {
		buf.Retain()
		return buf
	}
	return memory.SliceBuffer(buf, off, n)
}

// peerWindow bounds what is asked for at once of a peer or the store: as much
// as one GET of the store client.
const peerWindow = 16 << 20

// climb finds the verified bytes of all wants: each from the first rung that
// has them intact. After an error it holds none.
func (s *Source) climb(ctx context.Context, g *grant, idx *Index, wants []want) error {
	left := make([]*want, len(wants))
	for i := range wants {
		w := &wants[i]
		if err := checkPlace(idx, w.part); err != nil {
			return lostTo(idx, w.number, err)
		}
		left[i] = w
	}
	left = s.fromMemory(idx, left)
	for _, dir := range s.Local {
		if len(left) == 0 || ctx.Err() != nil {
			break
		}
		left = s.try(left, RungLocal, dir, localWindow, func(ws []window) { s.readLocal(ctx, g, dir, idx, ws) })
	}
	if s.Peers != nil && len(left) > 0 && ctx.Err() == nil {
		left = s.try(left, RungPeer, "peer", peerWindow, func(ws []window) { s.ask(ctx, g, idx, ws) })
	}
	if s.Objects != nil && idx.Object != "" && len(left) > 0 && ctx.Err() == nil {
		left = s.try(left, RungStore, "store object "+idx.Object, peerWindow, func(ws []window) { s.fetch(ctx, g, idx, ws) })
	}
	if len(left) == 0 {
		return nil
	}
	for i := range wants {
		if wants[i].buf != nil {
			wants[i].buf.Release()
		}
	}
	// A reader that was told to stop knows nothing about the data.
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return lostTo(idx, left[0].number, left[0].errs...)
}

func lostTo(idx *Index, p int, reasons ...error) error {
	return &LostError{Name: idx.Name, Object: idx.Object, Partition: p, Rungs: reasons}
}

// try reads what is left from one rung and returns what is left after it.
func (s *Source) try(left []*want, rung Rung, where string, limit int64, read func([]window)) []*want {
	ws := windows(left, limit)
	read(ws)
	for i := range ws {
		ws[i].deal(rung, where, s.Metrics)
	}
	still := left[:0]
	for _, w := range left {
		if w.buf == nil {
			still = append(still, w)
		}
	}
	return still
}

// fromMemory tries the registry, which is no rung for an object it does not
// know.
func (s *Source) fromMemory(idx *Index, left []*want) []*want {
	if s.Registry == nil {
		return left
	}
	held := s.Registry.Buffer(idx.Name)
	if held == nil {
		return left
	}
	defer held.Release()
	return s.try(left, RungMemory, "memory", math.MaxInt64, func(ws []window) {
		for i := range ws {
			x := &ws[i]
			if x.length > int64(held.Len())-x.off {
				x.err = fmt.Errorf("%w: object of %d bytes in memory, index places %d at %d", ErrCorrupt, held.Len(), x.length, x.off)
				continue
			}
			x.buf = sliceOf(held, int(x.off), int(x.length))
		}
	})
}

// ask reads windows from whichever peer has them into pooled buffers.
func (s *Source) ask(ctx context.Context, g *grant, idx *Index, ws []window) {
	err := g.take(ctx)
	for i := range ws {
		x := &ws[i]
		if x.err = err; err != nil {
			continue
		}
		b := g.Allocate(int(x.length))
		if x.err = s.Peers.ReadRange(ctx, idx.Name, x.off, b); x.err != nil {
			g.Free(b)
			continue
		}
		x.buf = memory.NewBufferWithAllocator(b, g)
	}
}

// fetch reads windows from the store into pooled buffers, by one call: what
// lies side by side in several windows is still asked for together.
func (s *Source) fetch(ctx context.Context, g *grant, idx *Index, ws []window) {
	err := g.take(ctx)
	ranges, into := make([]store.Range, len(ws)), make([][]byte, len(ws))
	if err == nil {
		for i := range ws {
			ranges[i] = store.Range{Off: ws[i].off, Len: ws[i].length}
			into[i] = g.Allocate(int(ws[i].length))
		}
		if err = s.Objects.ReadRanges(ctx, idx.Object, ranges, into); err != nil {
			for _, b := range into {
				g.Free(b)
			}
		}
	}
	for i := range ws {
		if ws[i].err = err; err == nil {
			ws[i].buf = memory.NewBufferWithAllocator(into[i], g)
		}
	}
}

// checkPlace refuses a partition that cannot lie in its object, before any
// memory is taken for it.
func checkPlace(idx *Index, p *Partition) error {
	if p.Offset < 0 || p.Length < 0 || p.Length > idx.Size-p.Offset || p.Offset%block.Alignment != 0 {
		return fmt.Errorf("%w: index places %d bytes at %d of %d", ErrCorrupt, p.Length, p.Offset, idx.Size)
	}
	return nil
}

func verify(b []byte, p *Partition) error {
	if crc := checksum.Of(b); crc != p.CRC32C {
		return fmt.Errorf("%w: checksum %08x, index says %08x", ErrCorrupt, crc, p.CRC32C)
	}
	return nil
}
