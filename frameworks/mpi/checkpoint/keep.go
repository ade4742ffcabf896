package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mpi/contract"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Place is where checkpoints are kept. Ranks of one program share it.
type Place struct{ keep keeper }

// keeper has objects by name. get is fs.ErrNotExist where there is none.
type keeper interface {
	put(ctx context.Context, name string, data []byte) error
	get(ctx context.Context, name string) ([]byte, error)
	remove(ctx context.Context, name string) error
}

// In keeps checkpoints in a directory that all ranks share.
func In(dir string) *Place { return &Place{directory(dir)} }

// OfJob keeps them in the store of the job that this process is a rank of, for as
// long as its attempt lasts: a gang that is started again finds them.
func OfJob() (*Place, error) {
	e, ok := contract.FromEnviron()
	if !ok || e.Store.Endpoint == "" {
		return nil, core.Errorf(core.Invalid, "this process is no rank of a Capstan job, so it has no store for checkpoints").
			Do("start it with capstan mpiexec, or name a directory with checkpoint.In")
	}
	c, err := store.Open(e.Store)
	if err != nil {
		return nil, err
	}
	return &Place{&bucket{c, e.Store.Prefix + "ranks/"}}, nil
}

type directory string

func (d directory) put(_ context.Context, name string, data []byte) error {
	path := filepath.Join(string(d), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it is gone once it was renamed
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (d directory) get(_ context.Context, name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(d), filepath.FromSlash(name)))
}

func (d directory) remove(_ context.Context, name string) error {
	path := filepath.Join(string(d), filepath.FromSlash(name))
	err := os.Remove(path)
	_ = os.Remove(filepath.Dir(path)) // the last of its ranks can
	return err
}

// bucket is a prefix of the store.
type bucket struct {
	client *store.Client
	prefix string
}

func (b *bucket) put(ctx context.Context, name string, data []byte) error {
	_, err := b.client.Put(ctx, b.prefix+name, bytes.NewReader(data), int64(len(data)), store.PutOptions{})
	return err
}

func (b *bucket) get(ctx context.Context, name string) ([]byte, error) {
	r, _, err := b.client.Get(ctx, b.prefix+name, 0, -1)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func (b *bucket) remove(ctx context.Context, name string) error {
	return b.client.Delete(ctx, b.prefix+name)
}
