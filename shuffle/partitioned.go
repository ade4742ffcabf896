package shuffle

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/partition"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Transform makes a record out of the rows of one partition: sorts them, or
// combines those with the same key. It owns what it returns only until it is
// called again or the caller releases it; rec is valid during the call. It may
// return rec itself, retained. The result has rec's schema.
type Transform func(partition int, rec arrow.Record) (arrow.Record, error)

// PartitionedOptions says how a [PartitionedWriter] works. The zero value
// writes a file, within 128 MiB.
type PartitionedOptions struct {
	WriterOptions
	// Budget bounds the memory of records not yet written and of the image
	// they are moved into, in bytes; a record larger than half of it is taken
	// alone. Default 128 MiB, at most 2 GiB.
	Budget int64
	// Scratch is the directory of the spill file. Default: that of the object.
	Scratch string
	// Sort and Combine, in this order, are applied to the rows of each
	// partition in each run. Runs are not merged: where the budget was passed,
	// a partition has one sorted batch per run.
	Sort, Combine Transform
	// Durability of the object. Default disk. That of durability memory goes to
	// the Arena, for readers of other processes, or into the Registry.
	Durability Durability
	// Memory is where images are put together. Default: the writer's own,
	// freed at the end; share one for the pages' sake.
	Memory *arena.Pool
	// Registry, if set, keeps the object in memory for readers of this
	// process, if it fits the budget, until it is dropped.
	Registry *Registry
	// Objects and Object are where an object of the durabilities s3-async and
	// s3-sync goes: the store, and "bucket/key".
	Objects Objects
	Object  string
	// Uploads runs the uploads of durability s3-async.
	Uploads *Uploads
	// Live, if set, hands spilled runs to consumers before the commit. It is
	// this writer's alone. Consumers in other processes must find Scratch.
	Live *Live
}

const (
	defaultBudget = 128 << 20
	maxBudget     = 2 << 30
)

// PartitionedWriter writes one exchange object from records in any order: one
// producer task's output. Rows are gathered within a budget of memory, then
// moved straight to their places, one batch per partition; past the budget
// such runs are spilled into one file and joined at the end by copying bytes.
// Nothing is visible before Commit. It is not safe for concurrent use.
type PartitionedWriter struct {
	path    string
	o       PartitionedOptions
	schema  *arrow.Schema
	by      partition.Partitioner
	spread  bool // a broadcast: all partitions share what is written as the first
	parts   int  // that are written
	group   *partition.Group
	ids     []int32
	index   Index
	framer  *block.Framer // of bodies as they are
	packer  *block.Framer // of compressed ones, nil without codec
	encoder *block.Encoder
	memory  *arena.Pool
	own     *arena.Pool // memory, if nobody gave us one
	runs    []run
	spill   *spillFile // nil before the first run
	err     error
	closed  bool
}

// NewPartitionedWriter starts an exchange object that Commit will name path,
// with the partitions that by tells rows to. The directory must exist. The
// caller must end with Commit or Abort.
func NewPartitionedWriter(path string, schema *arrow.Schema, by partition.Partitioner, partitions int, o PartitionedOptions) (*PartitionedWriter, error) {
	w := &PartitionedWriter{path: path, o: o, schema: schema, by: by, parts: partitions}
	if err := w.create(partitions); err != nil {
		return nil, fmt.Errorf("create exchange object %s: %w", path, err)
	}
	return w, nil
}

func (w *PartitionedWriter) create(partitions int) error {
	if err := w.o.check(); err != nil {
		return err
	}
	index, err := newIndex(w.path, w.schema, partitions)
	if err != nil {
		return err
	}
	w.index = *index
	if _, w.spread = w.by.(partition.Everywhere); w.spread {
		w.parts = 1
	}
	if w.group, err = partition.NewGroup(w.schema, w.parts); err != nil {
		return err
	}
	comp, err := w.o.compressor(w.schema)
	if err != nil {
		return err
	}
	w.framer = block.NewFramer(w.schema, nil)
	if comp != nil {
		w.packer = block.NewFramer(w.schema, comp)
	}
	if w.encoder, err = block.NewEncoder(w.schema, comp); err != nil {
		return err
	}
	if w.memory = w.o.Memory; w.memory == nil {
		w.own = new(arena.Pool)
		w.memory = w.own
	}
	if w.o.Live != nil { // the last, since its consumers wait for an end from now on
		return w.o.Live.start(w.schema, partitions, w.spread, w.o.Codec)
	}
	return nil
}

// check fills in the defaults and refuses what does not go together.
func (o *PartitionedOptions) check() error {
	var err error
	if o.Durability, err = ParseDurability(string(o.Durability)); err != nil {
		return err
	}
	if o.Budget == 0 {
		o.Budget = defaultBudget
	}
	if o.Budget < 0 || o.Budget > maxBudget {
		return fmt.Errorf("budget of %d bytes, must be 1 to %d", o.Budget, int64(maxBudget))
	}
	switch o.Durability {
	case DurableMemory:
		if o.Arena == nil && o.Registry == nil {
			return fmt.Errorf("durability memory needs an arena or a registry")
		}
		if c, err := block.ParseCodec(o.Codec); err == nil && c != block.None {
			return fmt.Errorf("durability memory with codec %s: compress what leaves memory", c)
		}
	}
	return checkStore(o.Durability, o.Objects, o.Object, o.Uploads)
}

// Write takes the rows of rec, which it retains until they are written. After
// an error every further call returns it: the object can only be aborted.
func (w *PartitionedWriter) Write(rec arrow.Record) error {
	if w.closed {
		return ErrClosed
	}
	if w.err == nil && rec.NumRows() > 0 {
		if err := w.write(rec); err != nil {
			w.err = fmt.Errorf("write exchange object %s: %w", w.path, err)
		}
	}
	return w.err
}

func (w *PartitionedWriter) write(rec arrow.Record) error {
	n := int(rec.NumRows())
	if cap(w.ids) < n {
		w.ids = make([]int32, n)
	}
	ids := w.ids[:n]
	if err := w.by.Partition(rec, ids); err != nil {
		return err
	}
	// The image takes about as much as the records do.
	size := partition.RecordSize(rec) + 4*int64(n)
	if held := w.group.Held(); held > 0 && 2*(held+size) > w.o.Budget {
		if err := w.spillRun(); err != nil {
			return err
		}
	}
	return w.group.Add(rec, ids)
}

// Held returns how many bytes of records wait to be moved: at most half the
// budget, or one record.
func (w *PartitionedWriter) Held() int64 { return w.group.Held() }

// Commit makes the object visible as its durability demands, and returns its
// index, which the caller owns. ctx ends an upload. After an error nothing is
// visible, and nothing is left.
func (w *PartitionedWriter) Commit(ctx context.Context) (*Index, error) {
	if w.closed {
		return nil, ErrClosed
	}
	defer w.Abort() // whatever came of it, memory and spill file go
	err := w.err
	if err == nil {
		err = w.commit(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("commit exchange object %s: %w", w.path, err)
	}
	index := w.index
	if w.o.Live != nil {
		own := w.index
		w.o.Live.finish(&own, nil)
	}
	return &index, nil
}

func (w *PartitionedWriter) commit(ctx context.Context) error {
	head, dicts, err := w.head()
	if err != nil {
		return err
	}
	prune, err := w.pruner(head, dicts)
	if err != nil {
		return err
	}
	inMemory := false
	if len(w.runs) == 0 && w.packer == nil && !w.transforms() && prune == nil {
		inMemory, err = w.commitImage(head, dicts)
	} else {
		err = w.commitRuns(head, dicts, prune)
	}
	if err != nil || inMemory {
		return err
	}
	return upload(ctx, w.path, &w.index, w.o.Durability, w.o.Objects, w.o.Object, w.o.Uploads)
}

func (w *PartitionedWriter) transforms() bool { return w.o.Sort != nil || w.o.Combine != nil }

// head returns what each partition starts with: the schema and the
// dictionaries.
func (w *PartitionedWriter) head() ([]byte, []Batch, error) {
	head := sliceWriter(append([]byte(nil), w.index.Schema...))
	var places []Batch
	dicts := w.group.Dictionaries()
	defer func() {
		for _, d := range dicts {
			d.Release()
		}
	}()
	for i, d := range dicts {
		b, _, err := w.encoder.EncodeDictionary(&head, int64(len(head)), i, d)
		if err != nil {
			return nil, nil, err
		}
		places = append(places, b)
	}
	return head, places, nil
}

// sliceWriter appends what is written.
type sliceWriter []byte

func (w *sliceWriter) Write(b []byte) (int, error) {
	*w = append(*w, b...)
	return len(b), nil
}

// share gives every partition of a broadcast the place of the first.
func (w *PartitionedWriter) share() {
	if w.spread {
		for p := range w.index.Partitions {
			w.index.Partitions[p] = w.index.Partitions[0]
		}
	}
}

// Abort discards the object. After Commit or Abort it does nothing, so it can
// be deferred.
func (w *PartitionedWriter) Abort() {
	if w.closed {
		return
	}
	w.closed = true
	if w.o.Live != nil {
		w.o.Live.finish(nil, ErrAborted) // unless it was committed
	}
	w.group.Close()
	if w.spill != nil {
		w.spill.close()
	}
	for _, r := range w.runs {
		if r.block != nil {
			r.block.Release()
		}
	}
	if w.own != nil {
		w.own.Close()
	}
}

var _ Objects = (*store.Client)(nil)

func scratchOf(path, scratch string) string {
	if scratch == "" {
		return filepath.Dir(path)
	}
	return scratch
}
