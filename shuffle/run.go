package shuffle

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/checksum"
)

// run is what was gathered within the budget once: a message per partition, in
// the order of the partitions, in the spill file or in memory.
type run struct {
	pieces []piece
	block  *arena.Block // nil if the run is in the spill file
}

// piece is the message of one partition in one run. The zero piece is none.
type piece struct {
	off, length int64 // in the spill file, or in the block
	crc         uint32
	hash        uint64
	batch       Batch // extents from the start of the message
}

// spillFile takes the runs of one task, one after the other. It has no name,
// so that the kernel removes it with the process, unless consumers in other
// processes open it (law L7).
type spillFile struct {
	file  *os.File
	size  int64
	named bool
}

const spillPrefix = ".spill-"

func createSpill(dir string, named bool) (*spillFile, error) {
	f, err := os.CreateTemp(dir, spillPrefix+"*")
	if err != nil {
		return nil, fmt.Errorf("create spill file: %w", err)
	}
	if named {
		return &spillFile{file: f, named: true}, nil
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("create spill file: %w", err)
	}
	return &spillFile{file: f}, nil
}

func (s *spillFile) Write(b []byte) (int, error) {
	n, err := s.file.WriteAt(b, s.size)
	s.size += int64(n)
	return n, err
}

func (s *spillFile) close() {
	s.file.Close()
	if s.named {
		os.Remove(s.file.Name())
	}
}

// spillRun writes what is gathered as a run into the spill file.
func (w *PartitionedWriter) spillRun() error {
	if w.spill == nil {
		var err error
		if w.spill, err = createSpill(scratchOf(w.path, w.o.Scratch), w.o.Live != nil && w.o.Live.named()); err != nil {
			return err
		}
	}
	r := run{pieces: make([]piece, w.parts)}
	err := w.eachPiece(func(p int, x piece, message []byte) error {
		x.off, x.length = w.spill.size, int64(len(message))
		x.crc = checksum.Of(message)
		r.pieces[p] = x
		if _, err := w.spill.Write(message); err != nil {
			return err
		}
		if w.o.Live != nil {
			w.o.Live.offer(p, &x, message)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("spill: %w", err)
	}
	w.runs = append(w.runs, r)
	if w.o.Live != nil {
		w.o.Live.announce(filepath.Base(w.spill.file.Name()), &r)
	}
	return nil
}

// holdRun keeps what is gathered last as a run in memory.
func (w *PartitionedWriter) holdRun() error {
	l := w.layout(0, 0)
	b, err := w.memory.Get(int(l.size))
	if err != nil {
		return err
	}
	hashes := w.fill(b.Bytes(), &l)
	w.group.Reset()
	r := run{pieces: make([]piece, w.parts), block: b}
	for p := range r.pieces {
		if l.plan.Batches[p].Rows > 0 {
			r.pieces[p] = w.pieceOf(&l, p, hashes[p])
			r.pieces[p].crc = checksum.Of(b.Bytes()[l.starts[p]:l.end(p)])
		}
	}
	w.runs = append(w.runs, r)
	return nil
}

func (w *PartitionedWriter) pieceOf(l *imageLayout, p int, hash uint64) piece {
	return piece{
		off: l.starts[p], length: l.end(p) - l.starts[p], hash: hash,
		batch: shifted(&l.plan.Batches[p], w.framer.Size()),
	}
}

// eachPiece moves what is gathered into an image, empties the group, and calls
// emit with the message of each partition that has rows, in order: transformed
// and compressed as the options say. The message is valid during the call.
func (w *PartitionedWriter) eachPiece(emit func(p int, x piece, message []byte) error) error {
	l := w.layout(0, 0)
	if l.size == 0 {
		return nil
	}
	b, err := w.memory.Get(int(l.size))
	if err != nil {
		return err
	}
	buf := b.Buffer()
	defer buf.Release()
	hashes := w.fill(b.Bytes(), &l)
	w.group.Reset()
	switch {
	case w.transforms():
		return w.transformed(buf, &l, hashes, emit)
	case w.packer != nil:
		return w.packed(b.Bytes(), &l, hashes, emit)
	}
	for p := range l.starts {
		if l.plan.Batches[p].Rows > 0 {
			if err := emit(p, w.pieceOf(&l, p, hashes[p]), b.Bytes()[l.starts[p]:l.end(p)]); err != nil {
				return err
			}
		}
	}
	return nil
}

// packWave is about how many bytes are compressed at a time, in parallel.
const packWave = 8 << 20

// packed emits compressed messages.
func (w *PartitionedWriter) packed(image []byte, l *imageLayout, hashes []uint64, emit func(int, piece, []byte) error) error {
	var out [][]byte // reused from wave to wave
	for lo := 0; lo < w.parts; {
		hi := lo + 1
		for hi < w.parts && l.end(hi)-l.starts[lo] <= packWave {
			hi++
		}
		for len(out) < hi-lo {
			out = append(out, nil)
		}
		batches := make([]Batch, hi-lo)
		var g errgroup.Group
		g.SetLimit(runtime.GOMAXPROCS(0))
		for p := lo; p < hi; p++ {
			b := &l.plan.Batches[p]
			if b.Rows == 0 {
				continue
			}
			g.Go(func() (err error) {
				body := image[l.bodies[p] : l.bodies[p]+l.plan.Bodies[p]]
				out[p-lo], batches[p-lo], err = w.packer.Pack(out[p-lo][:0], b, body)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for p := lo; p < hi; p++ {
			if l.plan.Batches[p].Rows > 0 {
				if err := emit(p, piece{hash: hashes[p], batch: batches[p-lo]}, out[p-lo]); err != nil {
					return err
				}
			}
		}
		lo = hi
	}
	return nil
}

// transformed emits the messages of sorted and combined rows.
func (w *PartitionedWriter) transformed(image *memory.Buffer, l *imageLayout, hashes []uint64, emit func(int, piece, []byte) error) error {
	dicts := w.group.Dictionaries()
	defer func() {
		for _, d := range dicts {
			d.Release()
		}
	}()
	dec := block.OverDictionaries(w.schema, image, dicts)
	defer dec.Release()
	var hasher block.RowHasher
	var out bytes.Buffer
	for p := range l.starts {
		if l.plan.Batches[p].Rows == 0 {
			continue
		}
		b := shifted(&l.plan.Batches[p], l.bodies[p])
		rec, err := dec.Decode(&b)
		if err != nil {
			return err
		}
		if rec, err = w.transform(p, rec); err != nil {
			return err
		}
		if rec.NumRows() == 0 {
			rec.Release()
			continue
		}
		out.Reset()
		x := piece{hash: hasher.Sum(rec)}
		x.batch, _, err = w.encoder.Encode(&out, 0, rec)
		rec.Release()
		if err != nil {
			return fmt.Errorf("partition %d: %w", p, err)
		}
		if err := emit(p, x, out.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// transform applies Sort and Combine to rec and releases it.
func (w *PartitionedWriter) transform(p int, rec arrow.Record) (arrow.Record, error) {
	for _, t := range []Transform{w.o.Sort, w.o.Combine} {
		if t == nil {
			continue
		}
		next, err := t(p, rec)
		rec.Release()
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", p, err)
		}
		rec = next
	}
	return rec, nil
}

// commitRuns writes the object out of runs.
func (w *PartitionedWriter) commitRuns(head []byte, dicts []Batch, prune *pruner) error {
	home := w.o.Arena
	if w.o.Durability != DurableMemory || len(w.runs) > 0 {
		home = nil
	}
	file, err := createIn(home, w.path, w.o.Sync)
	if err != nil {
		return err
	}
	defer file.discard()
	m := assembly{w: w, head: head, dicts: dicts, prune: prune, out: stage{file: file}}
	if len(w.runs) == 0 {
		err = w.eachPiece(m.only)
	} else {
		err = m.join()
	}
	if err != nil {
		return err
	}
	if err := m.out.flush(); err != nil {
		return err
	}
	w.share()
	foot, err := footer(w.index)
	if err != nil {
		return err
	}
	if _, err := file.Write(foot); err != nil {
		return err
	}
	w.index.Size = file.pos
	return file.publish()
}
