package operator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/stream/snapshot"
	"github.com/capstan-run/capstan/shuffle/store"
)

// folder is where parts are staged and then seen (law O3).
type folder interface {
	put(ctx context.Context, staged string, b []byte) error
	publish(ctx context.Context, p sealed) error
}

// onDisk stages a part beside its place, under a name that no reader takes.
type onDisk struct{ dir string }

func (d onDisk) put(_ context.Context, staged string, b []byte) error {
	if err := os.MkdirAll(d.dir, 0o777); err != nil {
		return core.Errorf(core.Denied, "%v", err).At(d.dir).Do("choose another folder")
	}
	f, err := os.Create(filepath.Join(d.dir, staged))
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

func (d onDisk) publish(_ context.Context, p sealed) error {
	place := filepath.Join(d.dir, p.Name)
	err := os.Rename(filepath.Join(d.dir, p.Staged), place)
	if errors.Is(err, fs.ErrNotExist) {
		if _, there := os.Stat(place); there == nil {
			return nil // it was published before
		}
		return core.Errorf(core.Failed, "the committed part %s is gone", p.Staged).At(d.dir).Do("leave the files whose names begin with a dot")
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Bucket is the S3 store where results lie.
type Bucket interface {
	Put(ctx context.Context, path string, r *bytes.Reader, size int64) error
}

// Results are those of a client.
type Results struct{ Client *store.Client }

// Put writes an object that is not there yet: one that is, is the same.
func (r Results) Put(ctx context.Context, path string, b *bytes.Reader, size int64) error {
	_, err := r.Client.Put(ctx, path, b, size, store.PutOptions{IfNoneMatch: true, ContentType: "application/jsonl"})
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	return err
}

// inStore stages a part in the topology's own place of the store.
type inStore struct {
	stage   snapshot.Store
	results Bucket
	prefix  string
}

func (s inStore) put(ctx context.Context, staged string, b []byte) error {
	return s.stage.Put(ctx, "parts/"+staged[1:], b)
}

func (s inStore) publish(ctx context.Context, p sealed) error {
	b, err := s.stage.Get(ctx, "parts/"+p.Staged[1:])
	if err != nil {
		return fmt.Errorf("publish %s: %w", p.Name, err)
	}
	return s.results.Put(ctx, s.prefix+p.Name, bytes.NewReader(b), int64(len(b)))
}
