package output

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"path"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Store is what output needs of the object store. A *store.Client is one.
type Store interface {
	Put(ctx context.Context, path string, r io.Reader, size int64, o store.PutOptions) (store.Info, error)
	Get(ctx context.Context, path string, off, length int64) (io.ReadCloser, store.Info, error)
	Stat(ctx context.Context, path string) (store.Info, error)
	List(ctx context.Context, prefix, startAfter string) iter.Seq2[store.Info, error]
	Delete(ctx context.Context, path string) error
	Commit(ctx context.Context, path string, manifest []byte) error
	EnsureBucket(ctx context.Context, bucket string) error
	LocalFile(path string) (string, bool)
}

// inMemory is the most bytes of a part held in memory, if nobody gives more.
const inMemory = 4 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// PartWriter gathers the bytes of one part and puts them into the store. It is
// used by one goroutine, and ends with Close or Abort.
type PartWriter struct {
	st      Store
	part    Part
	scratch string
	mem     bytes.Buffer
	pool    *arena.Pool  // nil: no more memory
	room    int          // bytes of block, if pool has them
	block   *arena.Block // nil: mem holds the part
	filled  int          // bytes of block
	file    *os.File
}

// Within lets the writer hold up to room bytes of the part in memory of pool.
func (w *PartWriter) Within(pool *arena.Pool, room int) *PartWriter {
	w.pool, w.room = pool, room
	return w
}

// NewPart begins a part of a try. prefix is the attempt's (StoreAccess.Prefix),
// scratch a directory for what does not fit in memory. p comes from ResultPart,
// DeadLetterPart or SidePart.
func NewPart(st Store, prefix, task string, try int, p Part, scratch string) *PartWriter {
	p.Object = path.Join(prefix, "out", fmt.Sprintf("%s.%d", task, try), p.Path())
	return &PartWriter{st: st, part: p, scratch: scratch}
}

func (w *PartWriter) Write(p []byte) (int, error) {
	w.part.CRC32C = crc32.Update(w.part.CRC32C, castagnoli, p)
	w.part.Bytes += int64(len(p))
	switch {
	case w.file != nil:
	case w.block == nil && w.mem.Len()+len(p) <= inMemory:
		return w.mem.Write(p)
	case w.widen(len(p)):
		w.filled += copy(w.block.Bytes()[w.filled:], p)
		return len(p), nil
	default:
		if err := w.spill(); err != nil {
			return 0, err
		}
	}
	n, err := w.file.Write(p)
	return n, w.diskError(err)
}

// widen reports whether there is memory for n more bytes, which lie in block
// then.
func (w *PartWriter) widen(n int) bool {
	if w.block == nil {
		if w.pool == nil || w.mem.Len()+n > w.room {
			return false
		}
		b, err := w.pool.Get(w.room)
		if err != nil {
			return false // the disk has room
		}
		w.block, w.filled = b, copy(b.Bytes(), w.mem.Bytes())
		w.mem = bytes.Buffer{}
	}
	return w.filled+n <= w.room
}

// held is what memory holds.
func (w *PartWriter) held() []byte {
	if w.block != nil {
		return w.block.Bytes()[:w.filled]
	}
	return w.mem.Bytes()
}

func (w *PartWriter) drop() {
	if w.block != nil {
		w.block.Release()
		w.block = nil
	}
	w.mem = bytes.Buffer{}
}

func (w *PartWriter) spill() error {
	f, err := os.CreateTemp(w.scratch, "part-*")
	if err != nil {
		return w.diskError(err)
	}
	w.file = f
	_, err = f.Write(w.held())
	w.drop()
	return w.diskError(err)
}

func (w *PartWriter) diskError(err error) error {
	if err == nil {
		return nil
	}
	return &core.Error{Kind: core.Failed, What: "output cannot be gathered", Where: w.scratch, Err: err,
		Remedy: "free space on the disk of the executors' scratch folders"}
}

// Small reports whether the part lies in a little memory of its own: some more
// may be gathered before it is closed.
func (w *PartWriter) Small() bool { return w.file == nil && w.block == nil }

// Close puts the part into the store and describes it. rows is the number of
// records in it.
func (w *PartWriter) Close(ctx context.Context, rows int64) (Part, error) {
	defer w.Abort()
	w.part.Rows = rows
	var r io.Reader = bytes.NewReader(w.held())
	if w.file != nil {
		if _, err := w.file.Seek(0, io.SeekStart); err != nil {
			return Part{}, w.diskError(err)
		}
		r = w.file
	}
	if _, err := w.st.Put(ctx, w.part.Object, r, w.part.Bytes, store.PutOptions{}); err != nil {
		return Part{}, err
	}
	return w.part, nil
}

// Abort drops what was gathered. After Close it does nothing.
func (w *PartWriter) Abort() {
	if w.file != nil {
		w.file.Close()
		os.Remove(w.file.Name())
		w.file = nil
	}
	w.drop()
}
