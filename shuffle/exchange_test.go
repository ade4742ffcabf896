package shuffle_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/store"
)

// batch is a record for one partition.
type batch struct {
	partition int
	rec       arrow.Record
}

type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func write(t failer, path string, schema *arrow.Schema, partitions int, batches ...batch) *shuffle.Index {
	t.Helper()
	return writeWith(t, shuffle.WriterOptions{}, path, schema, partitions, batches...)
}

func writeWith(t failer, o shuffle.WriterOptions, path string, schema *arrow.Schema, partitions int, batches ...batch) *shuffle.Index {
	t.Helper()
	w, err := shuffle.Create(path, schema, partitions, o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, b := range batches {
		if err := w.Write(b.partition, b.rec); err != nil {
			t.Fatal(err)
		}
	}
	idx, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return idx
}

// readAll returns the records of a partition as text, one JSON array a batch.
func readAll(s *shuffle.Source, idx *shuffle.Index, p int) ([]string, shuffle.Rung, error) {
	r, err := s.Open(context.Background(), idx, p)
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	var out []string
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return out, r.Rung(), nil
		}
		if err != nil {
			return nil, "", err
		}
		out = append(out, text(rec))
	}
}

func text(rec arrow.Record) string {
	b, err := rec.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(b)
}

var pairSchema = arrow.NewSchema([]arrow.Field{
	{Name: "word", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "n", Type: arrow.PrimitiveTypes.Int64},
}, nil)

// pairs makes a record of words, numbered from 1; "-" is null.
func pairs(words ...string) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, pairSchema)
	defer b.Release()
	for i, w := range words {
		if w == "-" {
			b.Field(0).AppendNull()
		} else {
			b.Field(0).(*array.StringBuilder).Append(w)
		}
		b.Field(1).(*array.Int64Builder).Append(int64(i + 1))
	}
	return b.NewRecord()
}

// objects is a store of files under a directory, with faults.
type objects struct {
	dir  string
	mu   sync.Mutex
	gets int
	fail error
	read func(n int64) // told of every range, if set
}

func (o *objects) file(path string) string { return filepath.Join(o.dir, filepath.Base(path)) }

func (o *objects) ReadRanges(_ context.Context, path string, ranges []store.Range, into [][]byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gets++
	if o.fail != nil {
		return o.fail
	}
	f, err := os.Open(o.file(path))
	if err != nil {
		return err
	}
	defer f.Close()
	for i, r := range ranges {
		if o.read != nil {
			o.read(r.Len)
		}
		if _, err := f.ReadAt(into[i], r.Off); err != nil {
			return err
		}
	}
	return nil
}

func (o *objects) PutFile(_ context.Context, path, file string, _ store.PutOptions) (store.Info, error) {
	if o.fail != nil {
		return store.Info{}, o.fail
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return store.Info{}, err
	}
	return store.Info{}, os.WriteFile(o.file(path), b, 0o600)
}

var _ shuffle.Objects = (*store.Client)(nil)

// lost returns err as a LostError, or fails.
func lost(t *testing.T, err error) *shuffle.LostError {
	t.Helper()
	var l *shuffle.LostError
	if !errors.Is(err, shuffle.ErrLost) || !errors.As(err, &l) {
		t.Fatalf("want a lost partition, got %v", err)
	}
	return l
}
