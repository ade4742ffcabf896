package shuffle

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Objects is what the exchange needs of the object store. *store.Client is one.
type Objects interface {
	// ReadRanges fills into[i] with ranges[i] of the object path, whole.
	ReadRanges(ctx context.Context, path string, ranges []store.Range, into [][]byte) error
	// PutFile writes the regular file as the object path.
	PutFile(ctx context.Context, path, file string, o store.PutOptions) (store.Info, error)
}

// Peers is what the exchange needs of other executors. *peer.Client is one.
type Peers interface {
	// ReadRange fills into with the bytes of the object from off on, whole.
	ReadRange(ctx context.Context, object string, off int64, into []byte) error
}

// Source opens partitions. Its fields must not change after the first Open;
// its methods may be called from any goroutine. The zero value has no rungs.
type Source struct {
	Registry *Registry // nil: no objects in memory
	Local    []string  // directories of this host where objects lie under Index.Name
	Peers    Peers     // nil: no other executors
	Objects  Objects   // nil: no store
	Metrics  *Metrics  // nil: uncounted

	pool    bufferPool
	codecs  block.Codecs
	mu      sync.Mutex
	message string        // the last schema message decoded,
	schema  *arrow.Schema // and its schema: most objects of a stage have the same
}

// Open opens partition p of the object that idx, whole or sliced, describes.
// It tries the registry, each Local directory, the peers, then the store, and
// takes the first copy whose bytes have the checksum of the index. It returns
// when all of them are at hand.
//
// If no copy is intact the error is a [*LostError]; if ctx ended, its cause.
// idx must come from the control plane (law X5), and is held until the
// reader is closed.
func (s *Source) Open(ctx context.Context, idx *Index, p int) (*PartitionReader, error) {
	part, err := idx.Partition(p)
	if err != nil {
		return nil, err
	}
	codec, err := block.ParseCodec(part.Codec)
	if err != nil {
		return nil, fmt.Errorf("open partition %d of exchange object %s: %w", p, idx.Name, err)
	}
	schema, err := s.schemaOf(idx)
	if err != nil {
		return nil, fmt.Errorf("open partition %d of exchange object %s: %w", p, idx.Name, err)
	}
	r := &PartitionReader{schema: schema, part: part, name: idx.Name, number: p, rung: RungNone}
	if part.Length == 0 {
		s.Metrics.opened(RungNone, 0)
		return r, nil
	}
	buf, rung, err := s.climb(ctx, idx, part, p)
	if err != nil {
		return nil, err
	}
	defer buf.Release() // the decoder has its own hold
	r.rung = rung
	r.dec, err = block.NewDecoder(schema, buf, block.Packing{
		Codec: codec, Codecs: &s.codecs, Memory: &s.pool, Dictionaries: part.Dictionaries,
	})
	if err != nil {
		return nil, fmt.Errorf("open partition %d of exchange object %s: %w: %w", p, idx.Name, ErrCorrupt, err)
	}
	s.Metrics.opened(r.rung, part.Length)
	return r, nil
}

// climb returns the verified bytes of part from the first rung that has them.
func (s *Source) climb(ctx context.Context, idx *Index, part *Partition, p int) (*memory.Buffer, Rung, error) {
	lost := &LostError{Name: idx.Name, Object: idx.Object, Partition: p}
	try := func(where string, read func() (*memory.Buffer, error)) *memory.Buffer {
		buf, err := read()
		if err == nil {
			if err = verify(buf.Bytes(), part); err == nil {
				return buf
			}
			buf.Release()
		}
		s.Metrics.fell(errors.Is(err, ErrCorrupt))
		lost.Rungs = append(lost.Rungs, fmt.Errorf("%s: %w", where, err))
		return nil
	}
	if err := checkPlace(idx, part); err != nil {
		lost.Rungs = append(lost.Rungs, err)
		return nil, RungNone, lost
	}
	if s.Registry != nil {
		if held, err := s.Registry.open(idx, part); held != nil || err != nil {
			if buf := try("memory", func() (*memory.Buffer, error) { return held, err }); buf != nil {
				return buf, RungMemory, nil
			}
		}
	}
	for _, dir := range s.Local {
		if ctx.Err() != nil {
			return nil, RungNone, context.Cause(ctx)
		}
		if buf := try(dir, func() (*memory.Buffer, error) { return s.openLocal(dir, idx, part) }); buf != nil {
			return buf, RungLocal, nil
		}
	}
	if s.Peers != nil {
		if ctx.Err() != nil {
			return nil, RungNone, context.Cause(ctx)
		}
		if buf := try("peer", func() (*memory.Buffer, error) { return s.ask(ctx, idx, part) }); buf != nil {
			return buf, RungPeer, nil
		}
	}
	if s.Objects != nil && idx.Object != "" {
		buf := try("store object "+idx.Object, func() (*memory.Buffer, error) { return s.fetch(ctx, idx, part) })
		if buf != nil {
			return buf, RungStore, nil
		}
	}
	// A reader that was told to stop knows nothing about the data.
	if ctx.Err() != nil {
		return nil, RungNone, context.Cause(ctx)
	}
	return nil, RungNone, lost
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
	if crc := crc32.Checksum(b, castagnoli); crc != p.CRC32C {
		return fmt.Errorf("%w: checksum %08x, index says %08x", ErrCorrupt, crc, p.CRC32C)
	}
	return nil
}

// ask reads part from whichever peer has it into a pooled buffer.
func (s *Source) ask(ctx context.Context, idx *Index, part *Partition) (*memory.Buffer, error) {
	b := s.pool.get(int(part.Length))
	if err := s.Peers.ReadRange(ctx, idx.Name, part.Offset, b); err != nil {
		s.pool.Free(b)
		return nil, err
	}
	return memory.NewBufferWithAllocator(b, &s.pool), nil
}

// fetch reads part from the store into a pooled buffer.
func (s *Source) fetch(ctx context.Context, idx *Index, part *Partition) (*memory.Buffer, error) {
	b := s.pool.get(int(part.Length))
	err := s.Objects.ReadRanges(ctx, idx.Object, []store.Range{{Off: part.Offset, Len: part.Length}}, [][]byte{b})
	if err != nil {
		s.pool.Free(b)
		return nil, err
	}
	return memory.NewBufferWithAllocator(b, &s.pool), nil
}

// schemaOf decodes idx's schema, or answers with the last one if it is the same.
func (s *Source) schemaOf(idx *Index) (*arrow.Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.schema != nil && s.message == string(idx.Schema) {
		return s.schema, nil
	}
	schema, err := block.UnmarshalSchema(idx.Schema)
	if err != nil {
		return nil, err
	}
	s.message, s.schema = string(idx.Schema), schema
	return schema, nil
}

// Upload copies the committed file at path to the store as object
// ("bucket/key") and sets idx.Object: readers without the file find it there.
func Upload(ctx context.Context, objects Objects, path string, idx *Index, object string) error {
	if _, err := objects.PutFile(ctx, object, path, store.PutOptions{}); err != nil {
		return fmt.Errorf("upload exchange object %s: %w", idx.Name, err)
	}
	idx.Object = object
	return nil
}
