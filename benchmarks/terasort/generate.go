package terasort

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Generate writes records into so many files of dir, which it makes:
// part-00000.bin and so on. After an error the files are gone.
func Generate(ctx context.Context, dir string, records int64, files int) (Summary, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Summary{}, err
	}
	sums := make([]Summary, files)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range files {
		g.Go(func() (err error) {
			from, to := records*int64(i)/int64(files), records*int64(i+1)/int64(files)
			sums[i], err = write(ctx, filepath.Join(dir, fmt.Sprintf("part-%05d.bin", i)), from, to)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Summary{}, errors.Join(err, os.RemoveAll(dir))
	}
	var all Summary
	for _, s := range sums {
		all.join(s)
	}
	return all, nil
}

// write writes the records from number from up to to.
func write(ctx context.Context, path string, from, to int64) (s Summary, err error) {
	f, err := os.Create(path)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	var r [RecordLength]byte
	for n := from; n < to; n++ {
		if n%(1<<16) == 0 && ctx.Err() != nil {
			return s, context.Cause(ctx)
		}
		fill(&r, uint64(n))
		s.add(r[:])
		if _, err := w.Write(r[:]); err != nil {
			return s, err
		}
	}
	return s, w.Flush()
}
