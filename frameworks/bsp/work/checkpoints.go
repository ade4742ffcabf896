package work

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/capstan-run/capstan/frameworks/bsp/task"
	"github.com/capstan-run/capstan/shuffle"
	"github.com/capstan-run/capstan/shuffle/store"
)

// objects is what checkpoints need of the store.
type objects interface {
	Put(ctx context.Context, path string, r io.Reader, size int64, o store.PutOptions) (store.Info, error)
	PutFile(ctx context.Context, path, file string, o store.PutOptions) (store.Info, error)
	Get(ctx context.Context, path string, off, length int64) (io.ReadCloser, store.Info, error)
	Delete(ctx context.Context, path string) error
}

// checkpoints are a rank's parts of checkpoints: files in the gang's folder and,
// as the job's durability says, in the store. They are not synced to the disk:
// they are to outlive an executor, and a machine that crashed has no gang to go
// on with; what it tore is found by its checksum.
//
//	<incarnation>-<superstep>-<rank>.part             sections, and the manifest
//	<incarnation>-<superstep>-<rank>-<name>.section   one that never changes
type checkpoints struct {
	dir        string
	store      objects
	prefix     string // of their names in the store
	durability shuffle.Durability
	rank       int
	log        *slog.Logger
	// ctx is that of work in the background, which outlives what asked for it.
	ctx     context.Context
	stop    context.CancelFunc
	uploads sync.WaitGroup

	mu     sync.Mutex
	known  map[task.Checkpoint]*manifest
	stored map[string]bool            // files that lie in the store
	files  map[string]task.Checkpoint // of this rank in the folder; nil until somebody looked
	buf    []byte                     // of the last file written
}

func newCheckpoints(dir, prefix string, st objects, d shuffle.Durability, rank int, log *slog.Logger) (*checkpoints, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	c := &checkpoints{dir: dir, prefix: prefix, store: st, durability: d, rank: rank, log: log,
		known: map[task.Checkpoint]*manifest{}, stored: map[string]bool{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c, nil
}

// close ends what runs in the background. Files stay: they are the gang's.
func (c *checkpoints) close() {
	c.stop()
	c.uploads.Wait()
}

// find reads the manifest of a checkpoint.
func (c *checkpoints) find(ctx context.Context, k task.Checkpoint) (*manifest, error) {
	c.mu.Lock()
	m := c.known[k]
	c.mu.Unlock()
	if m != nil {
		return m, nil
	}
	f, err := c.open(ctx, partName(k, c.rank))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if m, err = readManifest(f); err != nil {
		return nil, err
	}
	if m.checkpoint() != k {
		return nil, fmt.Errorf("%w: its manifest is of another", errDamaged)
	}
	c.remember(m)
	return m, nil
}

func (c *checkpoints) remember(m *manifest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[m.checkpoint()] = m
}

// open finds a file in the gang's folder, else in the store.
func (c *checkpoints) open(ctx context.Context, name string) (io.ReadCloser, error) {
	f, err := os.Open(filepath.Join(c.dir, name))
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	r, _, err := c.store.Get(ctx, c.prefix+name, 0, -1)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("%w: %s is neither in the gang's folder nor in the store", errDamaged, name)
	}
	return r, err
}

// bring puts the files of a checkpoint into the store, if they are not there.
func (c *checkpoints) bring(ctx context.Context, k task.Checkpoint) error {
	if c.durability == shuffle.DurableStore {
		return nil // it counts since they are
	}
	return c.carry(ctx, k)
}

// carry puts those files of a checkpoint into the store that this process has not
// put there.
func (c *checkpoints) carry(ctx context.Context, k task.Checkpoint) error {
	m, err := c.find(ctx, k)
	if err != nil {
		return err
	}
	files := m.files(c.rank)
	slices.Reverse(files) // the part is there when what it refers to is
	for _, name := range files {
		if err := c.upload(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (c *checkpoints) upload(ctx context.Context, name string) error {
	c.mu.Lock()
	there := c.stored[name]
	c.mu.Unlock()
	if there {
		return nil
	}
	path := filepath.Join(c.dir, name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil // it was read from the store
	}
	if _, err := c.store.PutFile(ctx, c.prefix+name, path, store.PutOptions{}); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored[name] = true
	return nil
}

// keep removes this rank's files of checkpoints older than the newest in list,
// but for those that one in list needs (law W3).
func (c *checkpoints) keep(ctx context.Context, list []task.Checkpoint) error {
	if len(list) == 0 {
		return nil
	}
	needed := map[string]bool{}
	for _, k := range list {
		m, err := c.find(ctx, k)
		if err != nil {
			return err // what it needs is not known: nothing goes
		}
		for _, name := range m.files(c.rank) {
			needed[name] = true
		}
	}
	newest := list[len(list)-1]
	old, err := c.olderThan(newest)
	for _, name := range old {
		if !needed[name] {
			err = errors.Join(err, c.remove(ctx, name))
		}
	}
	c.forget(newest, list)
	return err
}

// olderThan is this rank's files of checkpoints before k. The folder is looked
// at once, for those of the executor before this one.
func (c *checkpoints) olderThan(k task.Checkpoint) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.look(); err != nil {
		return nil, err
	}
	var old []string
	for name, of := range c.files {
		if before(of, k) {
			old = append(old, name)
		}
	}
	return old, nil
}

// look notes which files there are. Under c.mu.
func (c *checkpoints) look() error {
	if c.files != nil {
		return nil
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	c.files = map[string]task.Checkpoint{}
	for _, e := range entries {
		if k, rank, ok := nameOf(e.Name()); ok && rank == c.rank {
			c.files[e.Name()] = k
		}
	}
	return nil
}

// added notes a file of k.
func (c *checkpoints) added(name string, k task.Checkpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files != nil {
		c.files[name] = k
	}
}

func (c *checkpoints) remove(ctx context.Context, name string) error {
	c.mu.Lock()
	there := c.stored[name]
	delete(c.stored, name)
	delete(c.files, name)
	c.mu.Unlock()
	err := os.Remove(filepath.Join(c.dir, name))
	if there {
		err = errors.Join(err, c.store.Delete(ctx, c.prefix+name))
	}
	return err
}

// forget drops the manifests of checkpoints that are gone.
func (c *checkpoints) forget(newest task.Checkpoint, list []task.Checkpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.known {
		kept := false
		for _, l := range list {
			kept = kept || k == l
		}
		if !kept && before(k, newest) {
			delete(c.known, k)
		}
	}
}

func before(a, b task.Checkpoint) bool {
	return a.Incarnation < b.Incarnation || a.Incarnation == b.Incarnation && a.Superstep < b.Superstep
}
