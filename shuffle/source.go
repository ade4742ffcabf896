package shuffle

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/slab"
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
	// InFlight bounds the bytes that all readers together have asked for or hold
	// in memory, beside what is mapped or this process's own, and what
	// decompressing makes. A call of OpenRange or OpenAll waits until all that
	// it may copy is within the bound, or alone needs more; what it does not
	// need is given back when it returns, the rest with its records. Who holds
	// readers and opens more may wait for itself: open all in one call.
	// Default: no bound.
	InFlight int64

	pool    slab.Pool
	codecs  block.Codecs
	mu      sync.Mutex
	held    *semaphore.Weighted // of InFlight bytes
	message string              // the last schema message decoded,
	schema  *arrow.Schema       // and its schema: most objects of a stage have the same
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
	readers, err := s.OpenRange(ctx, idx, p, p+1)
	if err != nil {
		return nil, err
	}
	return readers[0], nil
}

// OpenRange opens the partitions lo to hi-1 of one object as [Source.Open]
// does, and reads what lies side by side together: one request of a peer or
// the store for up to 16 MiB, one system call for small partitions of a file.
// Reader i is that of partition lo+i; the caller closes each of them.
//
// All bytes are in memory or mapped when it returns, so the range is chosen by
// its size ([PlanReads]). A record keeps up to 16 MiB of the partitions around
// its own. A copy that is damaged in some partitions serves the others. If a
// partition is lost, so is the range; the error names the first such.
func (s *Source) OpenRange(ctx context.Context, idx *Index, lo, hi int) ([]*PartitionReader, error) {
	g := s.grant(Span{idx, lo, hi})
	defer g.end()
	return s.openRange(ctx, g, idx, lo, hi)
}

// grant is the memory of a call that opens spans.
func (s *Source) grant(spans ...Span) *grant {
	g := &grant{s: s}
	for _, x := range spans {
		if part, err := x.Index.SliceRange(x.Lo, x.Hi); err == nil { // else it is found when it is opened
			g.need += part.Bytes()
		}
	}
	return g
}

func (s *Source) openRange(ctx context.Context, grant *grant, idx *Index, lo, hi int) ([]*PartitionReader, error) {
	part, err := idx.SliceRange(lo, hi)
	if err != nil {
		return nil, err
	}
	schema, err := s.schemaOf(idx)
	if err != nil {
		return nil, fmt.Errorf("open partition %d of exchange object %s: %w", lo, idx.Name, err)
	}
	wants := make([]want, 0, hi-lo)
	for i := range part.Partitions {
		if x := &part.Partitions[i]; x.Length != 0 {
			wants = append(wants, want{number: lo + i, part: x})
		}
	}
	if err := s.climb(ctx, grant, idx, wants); err != nil {
		return nil, err
	}
	return s.readers(schema, part, wants)
}

// readers makes the reader of each partition of x, and takes the buffers of
// wants, those that are not empty.
func (s *Source) readers(schema *arrow.Schema, x *Index, wants []want) ([]*PartitionReader, error) {
	out := make([]*PartitionReader, len(x.Partitions))
	all := make([]PartitionReader, len(x.Partitions))
	var failed error
	for i := range out {
		out[i] = &all[i]
		*out[i] = PartitionReader{schema: schema, part: &x.Partitions[i], name: x.Name, number: x.First + i, rung: RungNone}
		if len(wants) == 0 || wants[0].number != x.First+i {
			s.Metrics.opened(RungNone, 0)
			continue
		}
		w := &wants[0]
		wants = wants[1:]
		if failed == nil {
			failed = s.decoder(out[i], w)
		}
		w.buf.Release() // the decoder has its own hold
	}
	if failed != nil {
		closeAll(out)
		return nil, failed
	}
	return out, nil
}

// decoder gives r the decoder of what w holds.
func (s *Source) decoder(r *PartitionReader, w *want) error {
	codec, err := block.ParseCodec(w.part.Codec)
	if err != nil {
		return fmt.Errorf("open partition %d of exchange object %s: %w", r.number, r.name, err)
	}
	r.dec, err = block.NewDecoder(r.schema, w.buf, block.Packing{
		Codec: codec, Codecs: &s.codecs, Memory: &s.pool, Dictionaries: w.part.Dictionaries,
	})
	if err != nil {
		return fmt.Errorf("open partition %d of exchange object %s: %w: %w", r.number, r.name, ErrCorrupt, err)
	}
	r.rung = w.rung
	if w.mapped {
		r.mapped = w.buf.Bytes()
	}
	s.Metrics.opened(r.rung, w.part.Length)
	return nil
}

func closeAll(readers []*PartitionReader) {
	for _, r := range readers {
		r.Close()
	}
}

// Span is the partitions Lo to Hi-1 of one object: what a consumer reads of it.
type Span struct {
	Index  *Index
	Lo, Hi int
}

// atOnce is how many objects OpenAll reads at a time: what is on its way is
// bounded below, by the store client and by the peers.
const atOnce = 8

// OpenAll opens spans of several objects, some of them at a time, each as
// [Source.OpenRange] does: readers[i][k] is that of partition spans[i].Lo+k.
// After an error nothing is open; the error tells of every object that is
// lost, so that all their producers can run again together.
func (s *Source) OpenAll(ctx context.Context, spans []Span) ([][]*PartitionReader, error) {
	out, errs := make([][]*PartitionReader, len(spans)), make([]error, len(spans))
	grant := s.grant(spans...)
	defer grant.end()
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, x := range spans {
		g.Go(func() error {
			out[i], errs[i] = s.openRange(ctx, grant, x.Index, x.Lo, x.Hi)
			return nil // the others go on: they may be lost too
		})
	}
	g.Wait()
	err := errors.Join(errs...)
	if err == nil {
		return out, nil
	}
	for _, readers := range out {
		closeAll(readers)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, err
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
