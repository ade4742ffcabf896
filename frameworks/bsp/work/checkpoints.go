package work

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
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
//	<incarnation>-<superstep>-<rank>.part             the manifest, written last
//	<incarnation>-<superstep>-<rank>-<name>.section
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
	stored map[string]bool // files that lie in the store
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

// of is the checkpoints as one incarnation sees them.
func (c *checkpoints) of(incarnation int, from *manifest, told func(task.Written)) *incarnationCheckpoints {
	i := &incarnationCheckpoints{checkpoints: c, incarnation: incarnation, told: told, files: map[created]section{}, begun: map[int64]time.Time{}}
	if from != nil {
		for name, s := range from.Sections {
			i.files[created{name, s.Superstep}] = s
		}
	}
	return i
}

// find reads the manifest of a checkpoint.
func (c *checkpoints) find(ctx context.Context, k task.Checkpoint) (*manifest, error) {
	c.mu.Lock()
	m := c.known[k]
	c.mu.Unlock()
	if m != nil {
		return m, nil
	}
	f, err := c.open(ctx, manifestName(k, c.rank))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if m, err = decodeManifest(f); err != nil {
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
	for _, s := range m.Sections {
		if err := c.upload(ctx, s.File); err != nil {
			return err
		}
	}
	return c.upload(ctx, manifestName(k, c.rank))
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
		needed[manifestName(k, c.rank)] = true
		for _, s := range m.Sections {
			needed[s.File] = true
		}
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	newest := list[len(list)-1]
	for _, e := range entries {
		k, rank, ok := nameOf(e.Name())
		if ok && rank == c.rank && !needed[e.Name()] && before(k, newest) {
			err = errors.Join(err, c.remove(ctx, e.Name()))
		}
	}
	c.forget(newest, list)
	return err
}

func (c *checkpoints) remove(ctx context.Context, name string) error {
	c.mu.Lock()
	there := c.stored[name]
	delete(c.stored, name)
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

// created names a section by the superstep under which it was created.
type created struct {
	name      string
	superstep int64
}

// incarnationCheckpoints is the peer.Checkpoints of one incarnation.
type incarnationCheckpoints struct {
	*checkpoints
	incarnation int
	told        func(task.Written)

	mu    sync.Mutex
	files map[created]section
	begun map[int64]time.Time
}

var _ peer.Checkpoints = (*incarnationCheckpoints)(nil)

// Create is peer.Checkpoints'.
func (i *incarnationCheckpoints) Create(_ context.Context, superstep int64, name string) (peer.Section, error) {
	i.mu.Lock()
	if _, ok := i.begun[superstep]; !ok {
		i.begun[superstep] = time.Now()
	}
	i.mu.Unlock()
	file := sectionName(task.Checkpoint{Incarnation: i.incarnation, Superstep: superstep}, i.rank, name)
	f, err := os.CreateTemp(i.dir, "new-*")
	if err != nil {
		return nil, err
	}
	return &sectionWriter{frames: newFrames(f), f: f, path: filepath.Join(i.dir, file), done: func(bytes int64) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.files[created{name, superstep}] = section{Superstep: superstep, File: file, Bytes: bytes}
	}}, nil
}

// Done is peer.Checkpoints': with the manifest this rank's part is whole.
func (i *incarnationCheckpoints) Done(ctx context.Context, superstep int64, sections map[string]int64) error {
	m := &manifest{Incarnation: i.incarnation, Superstep: superstep, Sections: map[string]section{}}
	i.mu.Lock()
	begun := i.begun[superstep]
	delete(i.begun, superstep)
	for name, s := range sections {
		m.Sections[name] = i.files[created{name, s}]
	}
	i.mu.Unlock()
	if err := i.write(m); err != nil {
		return err
	}
	i.remember(m)
	switch i.durability {
	case shuffle.DurableStore:
		if err := i.carry(ctx, m.checkpoint()); err != nil {
			return err
		}
	case shuffle.DurableStoreAsync:
		i.uploads.Go(func() {
			if err := i.carry(i.ctx, m.checkpoint()); err != nil && i.ctx.Err() == nil {
				i.log.Warn("a checkpoint is on the disk only", "superstep", superstep, "err", err)
			}
		})
	}
	i.told(task.Written{Checkpoint: m.checkpoint(), Bytes: m.bytes(), Nanos: int64(time.Since(begun))})
	return nil
}

func (i *incarnationCheckpoints) write(m *manifest) error {
	b, err := m.encode()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(i.dir, "new-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(f, bytes.NewReader(b))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(i.dir, manifestName(m.checkpoint(), i.rank)))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Open is peer.Checkpoints'.
func (i *incarnationCheckpoints) Open(ctx context.Context, superstep int64, name string) (io.ReadCloser, error) {
	i.mu.Lock()
	s, ok := i.files[created{name, superstep}]
	i.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("%w: it has no section %s of superstep %d", errDamaged, name, superstep)
	}
	f, err := i.open(ctx, s.File)
	if err != nil {
		return nil, err
	}
	return newUnframed(f), nil
}

// sectionWriter writes a section's file under a name of its own, until it is
// whole (law W2).
type sectionWriter struct {
	*frames
	f    *os.File
	path string
	done func(bytes int64)
}

// Commit is peer.Section's.
func (s *sectionWriter) Commit() error {
	err := s.end()
	if err = errors.Join(err, s.f.Close()); err == nil {
		err = os.Rename(s.f.Name(), s.path)
	}
	if err != nil {
		os.Remove(s.f.Name())
		return err
	}
	s.done(int64(s.total))
	return nil
}

// Abort is peer.Section's.
func (s *sectionWriter) Abort() {
	s.f.Close()
	os.Remove(s.f.Name())
}
