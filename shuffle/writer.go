package shuffle

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/shuffle/block"
)

// ErrClosed is returned by a [Writer] after Commit or Abort.
var ErrClosed = errors.New("exchange writer is closed")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// WriterOptions says how an exchange object is written. The zero value is good.
type WriterOptions struct {
	// Codec compresses the buffers: "" for none, the only one of version 1.
	Codec string
	// Sync makes Commit fsync the file and its directory. Default false: a
	// file lost to a power cut is found missing or corrupt by its readers and
	// its producer runs again.
	Sync bool
}

// Writer writes one exchange object: one producer task's output, partition
// after partition. Nothing is visible under the final name before Commit. It
// is not safe for concurrent use.
type Writer struct {
	path    string
	options WriterOptions
	file    *os.File // nil once closed
	out     *bufio.Writer
	enc     *block.Encoder
	hash    block.RowHasher
	index   Index
	current int   // partition being written, -1 before the first
	pos     int64 // bytes written to the file
	err     error // the first write error; the file is of no use after it
}

// Create starts an exchange object that Commit will name path. The directory
// must exist. The caller must end with Commit or Abort.
func Create(path string, schema *arrow.Schema, partitions int, o WriterOptions) (*Writer, error) {
	if o.Codec != "" {
		return nil, fmt.Errorf("create exchange object %s: codec %q is not known to version %d", path, o.Codec, Version)
	}
	if partitions < 1 || partitions > MaxPartitions {
		return nil, fmt.Errorf("create exchange object %s: %d partitions, must be 1 to %d", path, partitions, MaxPartitions)
	}
	enc, err := block.NewEncoder(schema)
	if err != nil {
		return nil, fmt.Errorf("create exchange object %s: %w", path, err)
	}
	msg, err := block.MarshalSchema(schema)
	if err != nil {
		return nil, fmt.Errorf("create exchange object %s: %w", path, err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return nil, fmt.Errorf("create exchange object: %w", err)
	}
	w := &Writer{path: path, options: o, file: file, enc: enc, current: -1}
	w.out = bufio.NewWriterSize(file, 256<<10)
	w.index = Index{
		Version:    Version,
		Name:       filepath.Base(path),
		Schema:     msg,
		Total:      partitions,
		Partitions: make([]Partition, partitions),
	}
	return w, nil
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
	if partition != w.current {
		w.begin(partition)
	}
	p := &w.index.Partitions[partition]
	batch, _, err := w.enc.Encode((*partitionWriter)(w), p.Length, rec)
	if err != nil {
		w.err = fmt.Errorf("write partition %d of exchange object %s: %w", partition, w.path, err)
		return w.err
	}
	p.Rows += batch.Rows
	p.RowHash += w.hash.Sum(rec)
	p.Batches = append(p.Batches, batch)
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

// begin ends the current partition and starts the next with its schema
// message. Its write errors come back from the next write.
func (w *Writer) begin(partition int) {
	w.end()
	w.current = partition
	w.index.Partitions[partition].Offset = w.pos
	_, _ = (*partitionWriter)(w).Write(w.index.Schema)
}

// end marks the end of the current partition's stream and pads it, so that
// the next partition is aligned. The padding belongs to the partition: every
// byte before the footer is under a checksum.
func (w *Writer) end() {
	if w.current < 0 {
		return
	}
	var tail [8 + block.Alignment]byte
	copy(tail[:], block.EndOfStream[:])
	n := 8 + block.Align(w.pos+8) - (w.pos + 8)
	_, _ = (*partitionWriter)(w).Write(tail[:n])
}

// partitionWriter writes bytes of the current partition, keeping its length
// and checksum.
type partitionWriter Writer

func (pw *partitionWriter) Write(b []byte) (int, error) {
	p := &pw.index.Partitions[pw.current]
	p.CRC32C = crc32.Update(p.CRC32C, castagnoli, b)
	n, err := pw.out.Write(b)
	p.Length += int64(n)
	pw.pos += int64(n)
	return n, err
}

// Size returns the bytes written so far.
func (w *Writer) Size() int64 { return w.pos }

// Commit ends the object and makes it visible under its final name, replacing
// a file of that name. The caller owns the index. After an error nothing is
// visible and the temporary file is gone.
func (w *Writer) Commit() (*Index, error) {
	if w.file == nil {
		return nil, ErrClosed
	}
	if err := w.commit(); err != nil {
		w.Abort()
		return nil, fmt.Errorf("commit exchange object %s: %w", w.path, err)
	}
	w.file = nil
	index := w.index
	return &index, nil
}

func (w *Writer) commit() error {
	if w.err != nil {
		return w.err
	}
	w.end()
	foot, err := footer(w.index)
	if err != nil {
		return err
	}
	if _, err := w.out.Write(foot); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	w.index.Size = w.pos + int64(len(foot))
	if w.options.Sync {
		if err := w.file.Sync(); err != nil {
			return err
		}
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	if err := os.Rename(w.file.Name(), w.path); err != nil {
		return err
	}
	if w.options.Sync {
		return syncDir(filepath.Dir(w.path))
	}
	return nil
}

// Abort discards the object. After Commit or Abort it does nothing, so it can
// be deferred.
func (w *Writer) Abort() {
	if w.file == nil {
		return
	}
	w.file.Close()
	os.Remove(w.file.Name())
	w.file = nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
