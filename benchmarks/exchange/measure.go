package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/block"
	"github.com/capstan-run/capstan/shuffle/partition"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Tier is where an object goes.
type Tier string

const (
	File   Tier = "file"   // a fresh file of the directory
	Arena  Tier = "arena"  // a recycled segment of the directory
	Memory Tier = "memory" // this process's memory
	Store  Tier = "store"  // an S3 store: Config.Store
)

// Config is what to measure. Zero fields take their defaults.
type Config struct {
	Dir        string // on the disk, or in shared memory; must exist
	Rows       int    // default 640,000: 64 MB
	BatchRows  int    // rows of an input record; default 8192
	Partitions int    // default 200
	Tier       Tier   // default File
	Codec      string // of the file tier
	Budget     int64  // of the writer; default 512 MiB
	Together   int64  // bytes of partitions that a consumer is given; default 16 MiB
	Consumers  int    // that read at a time; default 1
	Rounds     int    // default 5
	Sync       bool   // the file is synced
	// Store takes the object of the tier Store.
	Store *store.Client
}

func (c *Config) defaults() {
	set := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	set(&c.Rows, 640_000)
	set(&c.BatchRows, 8192)
	set(&c.Partitions, 200)
	set(&c.Rounds, 5)
	set(&c.Consumers, 1)
	if c.Tier == "" {
		c.Tier = File
	}
	if c.Budget == 0 {
		c.Budget = 512 << 20
	}
	if c.Together == 0 {
		c.Together = 16 << 20
	}
}

// Result is what a measurement found. Rates are MB of rows per CPU-second.
type Result struct {
	Config     Config
	Rate       float64
	Best       float64 // of the cheapest round: what the machine's other work adds is not in it
	Write      float64 // of the producer's side alone
	Read       float64 // of the consumers' side alone
	Wall       time.Duration
	Overhead   float64 // bytes of the object per byte of rows
	Requests   float64 // to the store, of a round
	Yardsticks Yardsticks
}

// OfMemcpy is the rate as a share of copying memory.
func (r *Result) OfMemcpy() float64 { return r.Rate / r.Yardsticks.Memcpy }

// OfWrite is the rate as a share of writing the bytes to a file, and nothing
// else.
func (r *Result) OfWrite() float64 { return r.Rate / r.Yardsticks.Write }

// Measure runs c.
func Measure(ctx context.Context, c Config) (Result, error) {
	c.defaults()
	y, err := measureYardsticks(c.Dir, 64<<20)
	if err != nil {
		return Result{}, err
	}
	l, err := newLab(c)
	if err != nil {
		return Result{}, err
	}
	defer l.close()
	var wrote, read, best cost
	asked := l.requests()
	warm := l.warmUp()
	for i := range c.Rounds + warm {
		w, r, err := l.round(ctx)
		if err != nil {
			return Result{}, err
		}
		if i >= warm { // law E3
			wrote, read = wrote.plus(w), read.plus(r)
			if both := w.plus(r); i == warm || both.cpu < best.cpu {
				best = both
			}
		}
	}
	asked = l.requests() - asked
	total := int64(c.Rounds) * int64(c.Rows) * rowBytes
	return Result{
		Config: c, Yardsticks: y,
		Rate: wrote.plus(read).rate(total), Best: best.rate(int64(c.Rows) * rowBytes), Write: wrote.rate(total), Read: read.rate(total),
		Wall:     (wrote.wall + read.wall) / time.Duration(c.Rounds),
		Overhead: float64(l.size) / float64(int64(c.Rows)*rowBytes),
		Requests: float64(asked) / float64(c.Rounds+warm),
	}, nil
}

// lab is what the rounds of a measurement share.
type lab struct {
	c     Config
	in    []arrow.Record
	hash  uint64
	pool  arena.Pool
	arena *arena.Arena
	reg   shuffle.Registry
	codes block.Codecs
	src   shuffle.Source
	size  int64
}

const (
	objectName   = "object"
	storedObject = "test/exchange/object"
)

func newLab(c Config) (*lab, error) {
	l := &lab{c: c, in: input(c.Rows, c.BatchRows, 1)}
	l.src.Local = []string{c.Dir} // where past the budget every tier puts its object
	for _, rec := range l.in {
		l.hash += block.RowHash(rec)
	}
	switch c.Tier {
	case File:
	case Arena:
		var err error
		if l.arena, err = arena.Open(c.Dir, 1<<30); err != nil {
			return nil, err
		}
	case Memory:
		l.src.Registry = &l.reg
	case Store:
		if c.Store == nil {
			return nil, errors.New("tier store needs a store")
		}
		l.src.Local, l.src.Objects = nil, c.Store
	default:
		return nil, fmt.Errorf("tier %q is not known: use file, arena, memory or store", c.Tier)
	}
	return l, nil
}

func (l *lab) close() {
	for _, rec := range l.in {
		rec.Release()
	}
	l.pool.Close()
	if l.arena != nil {
		l.arena.Close()
	}
}

// warmUp is how many rounds it takes until memory is used again: an arena maps a
// segment when it is taken for the second time.
func (l *lab) warmUp() int {
	if l.arena != nil {
		return 2
	}
	return 1
}

// requests is how many the store has had of us.
func (l *lab) requests() int64 {
	if l.c.Store == nil {
		return 0
	}
	return l.c.Store.Stats().Requests()
}

// round writes and reads one object and removes it.
func (l *lab) round(ctx context.Context) (wrote, read cost, err error) {
	var idx *shuffle.Index
	wrote, err = timed(func() (err error) {
		idx, err = l.write(ctx)
		return err
	})
	if err != nil {
		return wrote, read, err
	}
	read, err = timed(func() error { return l.read(ctx, idx) })
	return wrote, read, errors.Join(err, l.remove())
}

// write writes the object.
func (l *lab) write(ctx context.Context) (*shuffle.Index, error) {
	w, err := l.gather()
	if err != nil {
		return nil, err
	}
	return l.commit(ctx, w)
}

// gather starts the object and gives it all rows.
func (l *lab) gather() (*shuffle.PartitionedWriter, error) {
	o := shuffle.PartitionedOptions{Budget: l.c.Budget, Memory: &l.pool}
	o.Codec, o.Codecs, o.Sync = l.c.Codec, &l.codes, l.c.Sync
	switch l.c.Tier {
	case Arena:
		o.Durability, o.Arena = shuffle.DurableMemory, l.arena
	case Memory:
		o.Durability, o.Registry = shuffle.DurableMemory, &l.reg
	case Store:
		o.Durability, o.Objects, o.Object = shuffle.DurableStore, l.c.Store, storedObject
	}
	by := partition.Hash{Columns: []int{0}, Partitions: l.c.Partitions}
	w, err := shuffle.NewPartitionedWriter(filepath.Join(l.c.Dir, objectName), schema, by, l.c.Partitions, o)
	if err != nil {
		return nil, err
	}
	for _, rec := range l.in {
		if err := w.Write(rec); err != nil {
			w.Abort()
			return nil, err
		}
	}
	return w, nil
}

func (l *lab) commit(ctx context.Context, w *shuffle.PartitionedWriter) (*shuffle.Index, error) {
	idx, err := w.Commit(ctx)
	if err != nil {
		return nil, err
	}
	l.size = idx.Size
	return idx, nil
}

// read reads all partitions as consumers do that are given about Together
// bytes each, and walks their batches.
func (l *lab) read(ctx context.Context, idx *shuffle.Index) error {
	shares, err := shuffle.PlanReads([]*shuffle.Index{idx}, l.c.Together, false)
	if err != nil {
		return err
	}
	var rows atomic.Int64
	var hash atomic.Uint64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(l.c.Consumers)
	for _, s := range shares {
		g.Go(func() error {
			readers, err := l.src.OpenRange(ctx, idx, s.Lo, s.Hi)
			if err != nil {
				return err
			}
			for i, r := range readers {
				n, e := walk(r)
				err = errors.Join(err, e)
				rows.Add(n)
				hash.Add(idx.Partitions[s.Lo+i].RowHash)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if n, h := rows.Load(), hash.Load(); n != int64(l.c.Rows) || h != l.hash {
		return fmt.Errorf("read %d rows with hash %x, wrote %d with %x", n, h, l.c.Rows, l.hash)
	}
	return nil
}

// walk reads r to its end, closes it, and returns its rows.
func walk(r *shuffle.PartitionReader) (int64, error) {
	rows := int64(0)
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, r.Close()
		}
		if err != nil {
			return rows, errors.Join(err, r.Close())
		}
		rows += rec.NumRows()
	}
}

func (l *lab) remove() error {
	err := os.ErrNotExist
	switch l.c.Tier {
	case Arena:
		err = l.arena.Recycle(objectName)
	case Memory:
		err = l.reg.Drop(objectName)
	}
	if errors.Is(err, os.ErrNotExist) {
		return os.Remove(filepath.Join(l.c.Dir, objectName))
	}
	return err
}
