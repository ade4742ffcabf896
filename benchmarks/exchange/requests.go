package exchange

import (
	"context"
	"errors"
	"fmt"
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

// MeasureRequests writes an object of rows rows for each of some executors in
// each of some waves, and has every executor read its neighbouring partitions
// of all objects.
func MeasureRequests(ctx context.Context, client *store.Client, dir string, executors, waves, parts, rows int) (Requests, error) {
	before := client.Stats()
	var indexes []*shuffle.Index
	for i := range executors * waves {
		x, err := putObject(ctx, client, dir, fmt.Sprintf("requests-%d", i), parts, rows)
		if err != nil {
			return Requests{}, err
		}
		indexes = append(indexes, x)
	}
	wrote := client.Stats()
	src := &shuffle.Source{Objects: client}
	total, bytes := int64(0), int64(0)
	for e := range executors {
		n, size, err := readShare(ctx, src, indexes, e*parts/executors, (e+1)*parts/executors)
		if err != nil {
			return Requests{}, err
		}
		total, bytes = total+n, bytes+size
	}
	if want := int64(rows) * int64(len(indexes)); total != want {
		return Requests{}, fmt.Errorf("read %d rows, wrote %d", total, want)
	}
	return Requests{
		Puts: wrote.Sub(before).Requests(), MaxPuts: int64(executors * waves),
		Gets:    client.Stats().Sub(wrote).Requests(),
		MaxGets: 1.2 * max(float64(executors*executors*waves), float64(bytes)/(16<<20)),
	}, nil
}

// putObject writes an object of its own rows to the store alone.
func putObject(ctx context.Context, client *store.Client, dir, name string, parts, rows int) (*shuffle.Index, error) {
	w, err := shuffle.NewPartitionedWriter(filepath.Join(dir, name), schema, partition.Hash{Columns: []int{0}, Partitions: parts}, parts,
		shuffle.PartitionedOptions{Budget: 1 << 30, Durability: shuffle.DurableStore, Objects: client, Object: "test/exchange/" + name})
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
