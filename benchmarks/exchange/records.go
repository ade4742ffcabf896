package exchange

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/partition"
)

// Shuffled is what a shuffle of records read, and how long it took.
type Shuffled struct {
	Records int64
	Sum     uint64 // of the CRC-32 of each record
	Wall    time.Duration
}

// shuffleTask is how many bytes of records one producer has, as many as a
// block of Spark's input from local files.
const shuffleTask = 32 << 20

// ShuffleRecords brings the records of 100 bytes in the files of input into
// memory, and then times a shuffle of them by key: producers write files of
// dir, consumers read all of them back, verify them, and look at every record.
// So many threads produce, then consume.
func ShuffleRecords(ctx context.Context, dir, input string, partitions, threads int) (Shuffled, error) {
	tasks, err := loadRecords(input)
	if err != nil {
		return Shuffled{}, err
	}
	defer func() {
		for _, t := range tasks {
			for _, rec := range t {
				rec.Release()
			}
		}
	}()
	s := shuffler{dir: dir, parts: partitions, threads: threads}
	s.src.Local = []string{dir}
	defer s.pool.Close()
	start := time.Now()
	indexes, err := s.produce(ctx, tasks)
	if err == nil {
		err = s.consume(ctx, indexes)
	}
	s.read.Wall = time.Since(start)
	for _, x := range indexes {
		if x != nil {
			err = errors.Join(err, os.Remove(filepath.Join(dir, x.Name)))
		}
	}
	return s.read, err
}

// shuffler is a shuffle under way.
type shuffler struct {
	dir     string
	parts   int
	threads int
	pool    arena.Pool
	src     shuffle.Source
	mu      sync.Mutex
	read    Shuffled
}

func (s *shuffler) produce(ctx context.Context, tasks [][]arrow.Record) ([]*shuffle.Index, error) {
	indexes := make([]*shuffle.Index, len(tasks))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.threads)
	for i, records := range tasks {
		g.Go(func() (err error) {
			indexes[i], err = s.task(ctx, fmt.Sprintf("records-%d", i), records)
			return err
		})
	}
	return indexes, g.Wait()
}

func (s *shuffler) task(ctx context.Context, name string, records []arrow.Record) (*shuffle.Index, error) {
	by := partition.Hash{Columns: []int{0}, Partitions: s.parts}
	w, err := shuffle.NewPartitionedWriter(filepath.Join(s.dir, name), schema, by, s.parts, shuffle.PartitionedOptions{Memory: &s.pool})
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	for _, rec := range records {
		if err := w.Write(rec); err != nil {
			return nil, err
		}
	}
	return w.Commit(ctx)
}

func (s *shuffler) consume(ctx context.Context, indexes []*shuffle.Index) error {
	shares, err := shuffle.PlanReads(indexes, 16<<20, false)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.threads)
	for _, share := range shares {
		g.Go(func() error {
			spans := make([]shuffle.Span, len(indexes))
			for i, x := range indexes {
				spans[i] = shuffle.Span{Index: x, Lo: share.Lo, Hi: share.Hi}
			}
			return s.share(ctx, spans)
		})
	}
	return g.Wait()
}

func (s *shuffler) share(ctx context.Context, spans []shuffle.Span) error {
	all, err := s.src.OpenAll(ctx, spans)
	if err != nil {
		return err
	}
	var got Shuffled
	for _, readers := range all {
		for _, r := range readers {
			err = errors.Join(err, got.add(r))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read.Records += got.Records
	s.read.Sum += got.Sum
	return err
}

// add looks at every record of r, and closes it.
func (s *Shuffled) add(r *shuffle.PartitionReader) error {
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Close()
		}
		if err != nil {
			return errors.Join(err, r.Close())
		}
		keys, values := rec.Column(0).(*array.Binary), rec.Column(1).(*array.Binary)
		for i := range keys.Len() {
			s.Sum += uint64(crc32.Update(crc32.ChecksumIEEE(keys.Value(i)), crc32.IEEETable, values.Value(i)))
		}
		s.Records += rec.NumRows()
	}
}

// loadRecords reads all files of dir, by tasks.
func loadRecords(dir string) ([][]arrow.Record, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var tasks [][]arrow.Record
	size := int64(shuffleTask)
	for _, e := range entries {
		err := eachBatch(filepath.Join(dir, e.Name()), func(rec arrow.Record) {
			if size += rec.NumRows() * rowBytes; size > shuffleTask {
				tasks, size = append(tasks, nil), rec.NumRows()*rowBytes
			}
			last := &tasks[len(tasks)-1]
			*last = append(*last, rec)
		})
		if err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

// eachBatch makes records of 8192 rows of a file.
func eachBatch(path string, emit func(arrow.Record)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	keys, values := b.Field(0).(*array.BinaryBuilder), b.Field(1).(*array.BinaryBuilder)
	var row [rowBytes]byte
	for {
		_, err := io.ReadFull(in, row[:])
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return fmt.Errorf("read %s: %w", path, err)
		}
		if !end {
			keys.Append(row[:keyBytes])
			values.Append(row[keyBytes:])
		}
		if n := keys.Len(); n == 8192 || end && n > 0 {
			emit(b.NewRecord())
		}
		if end {
			return nil
		}
	}
}
