package shuffle

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/block"
)

// ErrClosed is returned by a writer after Commit or Abort.
var ErrClosed = errors.New("exchange writer is closed")

// WriterOptions says how an exchange object is written. The zero value is good.
type WriterOptions struct {
	// Codec compresses the buffers: "" for none, "lz4" or "zstd". Columns that
	// it does not make smaller by a factor of 1.3 are stored as they are.
	// Compress what leaves memory for a slow disk or a network.
	Codec string
	// Codecs holds encoders for reuse. Default: the writer's own.
	Codecs *block.Codecs
	// Sync makes Commit fsync the file and its directory; the disk begins to
	// write while the file is still put together. Default false: a
	// file lost to a power cut is found missing or corrupt by its readers and
	// its producer runs again.
	Sync bool
	// Arena, if set, takes the object where it has room; what does not fit
	// lies at path, so that readers look in both directories. Of a
	// [PartitionedWriter] it takes those of durability memory that fit the
	// budget.
	Arena *arena.Arena
}

// compressor returns the compressor the options ask for, nil for none.
func (o *WriterOptions) compressor(schema *arrow.Schema) (*block.Compressor, error) {
	codec, err := block.ParseCodec(o.Codec)
	if err != nil || codec == block.None {
		return nil, err
	}
	if o.Codecs == nil {
		o.Codecs = new(block.Codecs)
	}
	return block.NewCompressor(block.ShapeOf(schema), codec, o.Codecs)
}

// Writer writes one exchange object: one producer task's output, partition
// after partition. Nothing is visible under the final name before Commit. It
// is not safe for concurrent use.
//
// The records of one partition must share their dictionaries, since these are
// written at its head. [PartitionedWriter] has no such limit.
type Writer struct {
	path    string
	options WriterOptions
	file    *objectFile // nil once closed
	out     stage
	enc     *block.Encoder
	hash    block.RowHasher
	dicts   []arrow.ArrayData // of the current partition, retained
	index   Index
	current int   // partition being written, -1 before the first
	err     error // the first write error; the file is of no use after it
}

// Create starts an exchange object that Commit will name path. The directory
// must exist. The caller must end with Commit or Abort.
func Create(path string, schema *arrow.Schema, partitions int, o WriterOptions) (*Writer, error) {
	w := &Writer{path: path, options: o, current: -1}
	if err := w.create(schema, partitions); err != nil {
		return nil, fmt.Errorf("create exchange object %s: %w", path, err)
	}
	return w, nil
}

func (w *Writer) create(schema *arrow.Schema, partitions int) error {
	index, err := newIndex(w.path, schema, partitions)
	if err != nil {
		return err
	}
	comp, err := w.options.compressor(schema)
	if err != nil {
		return err
	}
	if w.enc, err = block.NewEncoder(schema, comp); err != nil {
		return err
	}
	if w.file, err = createIn(w.options.Arena, w.path, w.options.Sync); err != nil {
		return err
	}
	w.index, w.out.file = *index, w.file
	return nil
}

// newIndex returns the index of an object without rows that will lie at path.
func newIndex(path string, schema *arrow.Schema, partitions int) (*Index, error) {
	if partitions < 1 || partitions > MaxPartitions {
		return nil, fmt.Errorf("%d partitions, must be 1 to %d", partitions, MaxPartitions)
	}
	msg, err := block.MarshalSchema(schema)
	if err != nil {
		return nil, err
	}
	return &Index{
		Version:    Version,
		Name:       filepath.Base(path),
		Schema:     msg,
		Total:      partitions,
		Partitions: make([]Partition, partitions),
	}, nil
}

// Write appends rec to partition, which must not be below an earlier call's.
// rec is not retained. After a write error, or a record that does not fit the
// schema, every further call returns it: the object can only be aborted.
func (w *Writer) Write(partition int, rec arrow.Record) error {
	if err := w.check(partition); err != nil {
		return err
	}
	if rec.NumRows() == 0 {
		return nil
	}
	if err := w.append(partition, rec); err != nil {
		w.err = fmt.Errorf("write partition %d of exchange object %s: %w", partition, w.path, err)
		return w.err
	}
	return nil
}

func (w *Writer) check(partition int) error {
	switch {
	case w.file == nil:
		return ErrClosed
	case w.err != nil:
		return w.err
	case partition < 0 || partition >= w.index.Total:
		return fmt.Errorf("write exchange object %s: partition %d of %d", w.path, partition, w.index.Total)
	case partition < w.current:
		return fmt.Errorf("write exchange object %s: partition %d after partition %d", w.path, partition, w.current)
	}
	return nil
}

func (w *Writer) append(partition int, rec arrow.Record) error {
	p := &w.index.Partitions[partition]
	dicts := block.RecordDictionaries(rec)
	if partition != w.current {
		if err := w.end(); err != nil {
			return err
		}
		if err := w.begin(partition, dicts); err != nil {
			return err
		}
	} else if !sameDictionaries(w.dicts, dicts) {
		return errors.New("a record's dictionary differs from that of the partition's first: unify them, or decode the column")
	}
	batch, _, err := w.enc.Encode(&w.out, w.out.length, rec)
	if err != nil {
		return err
	}
	p.Rows += batch.Rows
	p.RowHash += w.hash.Sum(rec)
	p.Batches = append(p.Batches, batch)
	return nil
}

// begin starts a partition with its schema message and dictionaries.
func (w *Writer) begin(partition int, dicts []arrow.ArrayData) error {
	w.current = partition
	p := &w.index.Partitions[partition]
	p.Offset, p.Codec = w.out.begin(), w.options.codec()
	if _, err := w.out.Write(w.index.Schema); err != nil {
		return err
	}
	w.forget()
	for i, d := range dicts {
		d.Retain()
		w.dicts = append(w.dicts, d)
		b, _, err := w.enc.EncodeDictionary(&w.out, w.out.length, i, d)
		if err != nil {
			return err
		}
		p.Dictionaries = append(p.Dictionaries, b)
	}
	return nil
}

// codec is the name of the codec as an index has it.
func (o *WriterOptions) codec() string {
	c, _ := block.ParseCodec(o.Codec) // checked at the start
	return string(c)
}

func (w *Writer) forget() {
	for _, d := range w.dicts {
		d.Release()
	}
	w.dicts = w.dicts[:0]
}

func sameDictionaries(a, b []arrow.ArrayData) bool {
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		x, y := array.MakeFromData(a[i]), array.MakeFromData(b[i])
		same := array.Equal(x, y)
		x.Release()
		y.Release()
		if !same {
			return false
		}
	}
	return true
}

// tail ends a partition's stream. Its zeros belong to the partition: every
// byte before the footer is under a checksum.
var tail = func() (t [block.Alignment]byte) {
	copy(t[:], block.EndOfStream[:])
	return t
}()

// end ends the current partition's stream.
func (w *Writer) end() error {
	if w.current < 0 {
		return nil
	}
	if _, err := w.out.Write(tail[:]); err != nil {
		return err
	}
	p := &w.index.Partitions[w.current]
	p.Length, p.CRC32C = w.out.end()
	return nil
}

// Size returns the bytes written so far.
func (w *Writer) Size() int64 { return w.out.pos() }

// Commit ends the object and makes it visible under its final name, replacing
// a file of that name. The caller owns the index. After an error nothing is
// visible and the temporary file is gone.
func (w *Writer) Commit() (*Index, error) {
	if w.file == nil {
		return nil, ErrClosed
	}
	err := w.finish()
	if err == nil {
		err = w.file.publish()
	}
	if err != nil {
		w.Abort()
		return nil, fmt.Errorf("commit exchange object %s: %w", w.path, err)
	}
	w.forget()
	w.file = nil
	index := w.index
	return &index, nil
}

// finish writes what is left, and the footer.
func (w *Writer) finish() error {
	if w.err != nil {
		return w.err
	}
	if err := w.end(); err != nil {
		return err
	}
	if err := w.out.flush(); err != nil {
		return err
	}
	foot, err := footer(w.index)
	if err != nil {
		return err
	}
	if _, err := w.file.Write(foot); err != nil {
		return err
	}
	w.index.Size = w.file.pos
	return nil
}

// Abort discards the object. After Commit or Abort it does nothing, so it can
// be deferred.
func (w *Writer) Abort() {
	if w.file == nil {
		return
	}
	w.forget()
	w.file.discard()
	w.file = nil
}
