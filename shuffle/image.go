package shuffle

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/checksum"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// imageLayout is where everything of a group lies in its image.
type imageLayout struct {
	plan   *partition.Plan
	starts []int64 // of each partition's bytes; of its message, without head
	bodies []int64 // of each body
	size   int64
}

// layout places the messages of the gathered rows, each after head bytes and
// before tail bytes.
func (w *PartitionedWriter) layout(head, tail int64) imageLayout {
	l := imageLayout{plan: w.group.Plan(), starts: make([]int64, w.parts), bodies: make([]int64, w.parts)}
	for p := range l.plan.Batches {
		l.starts[p] = l.size
		if l.plan.Batches[p].Rows > 0 {
			l.bodies[p] = l.size + head + w.framer.Size()
			l.size = l.bodies[p] + l.plan.Bodies[p] + tail
		}
	}
	return l
}

// end is where the bytes of partition p end.
func (l *imageLayout) end(p int) int64 {
	if p+1 < len(l.starts) {
		return l.starts[p+1]
	}
	return l.size
}

// fill moves the gathered rows into image and frames them, and returns the
// row hashes of the partitions.
func (w *PartitionedWriter) fill(image []byte, l *imageLayout) []uint64 {
	hashes := make([]uint64, w.parts)
	w.group.Scatter(image, l.plan, l.bodies, hashes)
	for p := range l.plan.Batches {
		if b := &l.plan.Batches[p]; b.Rows > 0 {
			w.framer.Put(image[l.bodies[p]-w.framer.Size():], b, l.plan.Bodies[p])
		}
	}
	return hashes
}

// commitImage writes an object that fits the budget: the image is the object.
// It reports whether the object is in memory only.
func (w *PartitionedWriter) commitImage(head []byte, dicts []Batch) (bool, error) {
	l := w.layout(int64(len(head)), int64(len(tail)))
	w.describe(&l, head, dicts)
	foot, err := footer(w.index) // its length does not depend on the checksums
	if err != nil {
		return false, err
	}
	w.index.Size = l.size + int64(len(foot))
	inMemory, home := w.o.Durability == DurableMemory, (*arena.Arena)(nil)
	if inMemory && w.o.Arena != nil {
		if done, err := w.commitSegment(&l, head); done || err != nil {
			return true, err
		}
		inMemory, home = false, w.o.Arena
	}
	b, err := w.memory.Get(int(w.index.Size))
	if err != nil {
		return false, err
	}
	buf := b.Buffer()
	defer buf.Release()
	w.compose(b.Bytes(), &l, head)
	if inMemory {
		err = w.finish(b.Bytes(), &l)
	} else {
		err = w.writeImage(b.Bytes(), &l, home)
	}
	if err != nil {
		return false, err
	}
	w.share()
	if w.o.Registry != nil {
		w.o.Registry.Put(w.index.Name, buf)
	}
	return inMemory, nil
}

// commitSegment puts the object together in a segment of the arena, if one is
// idle.
func (w *PartitionedWriter) commitSegment(l *imageLayout, head []byte) (bool, error) {
	s, err := w.o.Arena.Reuse(int(w.index.Size))
	switch {
	case errors.Is(err, arena.ErrFull):
		return false, nil
	case s == nil || err != nil:
		return false, err
	}
	w.compose(s.Bytes(), l, head)
	if err = w.finish(s.Bytes(), l); err == nil {
		err = s.Publish(w.index.Name, int(w.index.Size))
	}
	if err != nil {
		return false, errors.Join(err, s.Discard())
	}
	w.share()
	return true, nil
}

// describe fills in the index, but for checksums and hashes.
func (w *PartitionedWriter) describe(l *imageLayout, head []byte, dicts []Batch) {
	for k := range l.plan.Batches {
		b := l.plan.Batches[k]
		if b.Rows == 0 {
			continue
		}
		p := &w.index.Partitions[k]
		p.Offset, p.Length, p.Rows = l.starts[k], l.end(k)-l.starts[k], b.Rows
		p.Dictionaries = dicts
		p.Batches = []Batch{shifted(&b, int64(len(head))+w.framer.Size())}
	}
}

// shifted returns b with its extents moved by n.
func shifted(b *Batch, n int64) Batch {
	out := *b
	out.Buffers = make([]Extent, len(b.Buffers))
	for i, x := range b.Buffers {
		out.Buffers[i] = Extent{Offset: x.Offset + n, Length: x.Length}
	}
	return out
}

// compose fills the image with all but the footer.
func (w *PartitionedWriter) compose(image []byte, l *imageLayout, head []byte) {
	hashes := w.fill(image, l)
	for p := range l.plan.Batches {
		if l.plan.Batches[p].Rows > 0 {
			w.index.Partitions[p].RowHash = hashes[p]
			copy(image[l.starts[p]:], head)
			copy(image[l.end(p)-int64(len(tail)):], tail[:])
		}
	}
}

// writeChunk is how much is summed before it is written: it should still be in
// the cache. It starts at a multiple of its size, so that the page cache takes
// few large folios for it, which are faster to fill, and to map by readers.
const writeChunk = 512 << 10

// sum takes the checksums of the partitions. Each chunk of the image, once
// summed, goes to out.
func (w *PartitionedWriter) sum(image []byte, l *imageLayout, out io.Writer) error {
	written := int64(0)
	for p := range l.starts {
		crc := uint32(0)
		for at := l.starts[p]; at < l.end(p); {
			to := min(l.end(p), written+writeChunk)
			crc = checksum.Update(crc, image[at:to])
			if at = to; at == written+writeChunk {
				if _, err := out.Write(image[written:at]); err != nil {
					return err
				}
				written = at
			}
		}
		w.index.Partitions[p].CRC32C = crc
	}
	_, err := out.Write(image[written:l.size])
	return err
}

// finish takes the checksums of an image that stays in memory, and puts the
// footer at its end.
func (w *PartitionedWriter) finish(image []byte, l *imageLayout) error {
	if err := w.sum(image, l, io.Discard); err != nil {
		return err
	}
	return w.seal(image, l)
}

// seal puts the footer at the image's end.
func (w *PartitionedWriter) seal(image []byte, l *imageLayout) error {
	foot, err := footer(w.index)
	if err != nil {
		return err
	}
	if l.size+int64(len(foot)) != w.index.Size {
		return fmt.Errorf("footer of %d bytes where %d were planned", len(foot), w.index.Size-l.size)
	}
	copy(image[l.size:], foot)
	return nil
}

// writeImage writes the image as a file, in home where that has room.
func (w *PartitionedWriter) writeImage(image []byte, l *imageLayout, home *arena.Arena) error {
	file, err := createIn(home, w.path, w.o.Sync)
	if err != nil {
		return err
	}
	defer file.discard()
	if err := file.reserve(w.index.Size); err != nil {
		return fmt.Errorf("reserve %d bytes: %w", w.index.Size, err)
	}
	if err := w.sum(image, l, file); err != nil {
		return err
	}
	if err := w.seal(image, l); err != nil {
		return err
	}
	if _, err := file.Write(image[l.size:w.index.Size]); err != nil {
		return err
	}
	return file.publish()
}

// removeAfter removes the file at path and returns err.
func removeAfter(path string, err error) error { return errors.Join(err, os.Remove(path)) }
