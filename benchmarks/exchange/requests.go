package exchange

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/partition"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Requests is what an exchange by way of a store asked of it, and what it may.
type Requests struct {
	Puts, MaxPuts int64
	Gets          int64 // requests of any kind to read
	MaxGets       float64
}

// Load is who writes how much by way of a store.
type Load struct {
	Executors, Waves int
	Tasks            int // of an executor in a wave
	Rows             int // of a task
	Partitions       int
}

// MeasureRequests has every executor write the objects of its tasks in each
// wave, and upload them merged; then every executor reads its neighbouring
// partitions of all objects. client sends each object as one PUT.
func MeasureRequests(ctx context.Context, client *store.Client, dir string, l Load) (Requests, error) {
	before := client.Stats()
	var indexes []*shuffle.Index
	for i := range l.Executors * l.Waves {
		x, err := putWave(ctx, client, dir, fmt.Sprintf("requests-%d", i), l)
		if err != nil {
			return Requests{}, err
		}
		indexes = append(indexes, x)
	}
	wrote := client.Stats()
	src := &shuffle.Source{Objects: client}
	total, bytes := int64(0), int64(0)
	for e := range l.Executors {
		n, size, err := readShare(ctx, src, indexes, e*l.Partitions/l.Executors, (e+1)*l.Partitions/l.Executors)
		if err != nil {
			return Requests{}, err
		}
		total, bytes = total+n, bytes+size
	}
	if want := int64(l.Rows) * int64(l.Tasks) * int64(len(indexes)); total != want {
		return Requests{}, fmt.Errorf("read %d rows, wrote %d", total, want)
	}
	return Requests{
		Puts: wrote.Sub(before).Requests(), MaxPuts: int64(l.Executors * l.Waves),
		Gets:    client.Stats().Sub(wrote).Requests(),
		MaxGets: 1.2 * max(float64(l.Executors*l.Executors*l.Waves), float64(bytes)/(16<<20)),
	}, nil
}

// putWave writes the objects of a wave's tasks, merges them into the store, and
// leaves no file.
func putWave(ctx context.Context, client *store.Client, dir, name string, l Load) (*shuffle.Index, error) {
	var in []*shuffle.Index
	for i := range l.Tasks {
		x, err := writeTask(ctx, dir, fmt.Sprintf("%s-%d", name, i), l.Partitions, l.Rows)
		if err != nil {
			return nil, err
		}
		in = append(in, x)
	}
	x, err := shuffle.Merge(ctx, filepath.Join(dir, name), &shuffle.Source{Local: []string{dir}}, in,
		shuffle.MergeOptions{Durability: shuffle.DurableStore, Objects: client, Object: "test/exchange/" + name})
	if err != nil {
		return nil, err
	}
	for _, y := range append(in, x) {
		err = errors.Join(err, os.Remove(filepath.Join(dir, y.Name)))
	}
	return x, err
}

// writeTask writes an object of rows of its own.
func writeTask(ctx context.Context, dir, name string, parts, rows int) (*shuffle.Index, error) {
	w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, name), schema, partition.Hash{Columns: []int{0}, Partitions: parts}, parts,
		shuffle.PartitionedOptions{Budget: 1 << 30})
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	for _, rec := range input(rows, 8192, 1) {
		err := w.Write(rec)
		rec.Release()
		if err != nil {
			return nil, err
		}
	}
	return w.Commit(ctx)
}

// readShare reads the partitions lo to hi-1 of all objects, and returns their
// rows and bytes.
func readShare(ctx context.Context, src *shuffle.Source, indexes []*shuffle.Index, lo, hi int) (rows, bytes int64, err error) {
	spans := make([]shuffle.Span, len(indexes))
	for i, x := range indexes {
		spans[i] = shuffle.Span{Index: x, Lo: lo, Hi: hi}
	}
	all, err := src.OpenAll(ctx, spans)
	if err != nil {
		return 0, 0, err
	}
	for _, readers := range all {
		for _, r := range readers {
			bytes += r.Bytes()
			n, e := walk(r)
			rows, err = rows+n, errors.Join(err, e)
		}
	}
	return rows, bytes, err
}
