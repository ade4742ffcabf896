package work

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
	"github.com/capstan-run/capstan/frameworks/mapreduce/task"
	"github.com/capstan-run/capstan/shuffle"
	memory "github.com/capstan-run/capstan/shuffle/arena"
	"github.com/capstan-run/capstan/shuffle/block"
)

// exchangeFiles is where a worker's exchange files lie: in the gang's shared
// memory while there is room, in its shared folder, and in the store, as the
// job's durability says.
type exchangeFiles struct {
	durability shuffle.Durability
	dir        string
	memory     *memory.Arena // nil: they all lie on the disk
	codec      string        // "": they are not compressed
	codecs     block.Codecs
	store      Store
	prefix     string           // of their names in the store
	uploads    *shuffle.Uploads // nil: none in the background
	stop       context.CancelFunc
}

// uploadsAtOnce is how many files a worker uploads in the background at a time.
const uploadsAtOnce = 2

func newExchangeFiles(env *core.Env, body *spec.Body, st Store) (*exchangeFiles, error) {
	d, err := shuffle.ParseDurability(body.Shuffle.Durability)
	if err != nil {
		return nil, err
	}
	f := &exchangeFiles{durability: d, dir: env.Shared, store: st, prefix: env.Store.Prefix + "exchange/", stop: func() {}}
	if c := body.Shuffle.Compression; c != "none" {
		f.codec = c
	}
	switch d {
	case shuffle.DurableMemory:
		if env.Shm == "" {
			env.Log.Warn("there is no shared memory here: map output goes to the disk")
			break
		}
		if f.memory, err = memory.Open(env.Shm, -1); err != nil {
			return nil, err
		}
		f.memory.Bound = int64(shmOf(body, env.Memory))
	case shuffle.DurableStoreAsync:
		var ctx context.Context
		ctx, f.stop = context.WithCancel(context.Background())
		f.uploads = shuffle.NewUploads(ctx, uploadsAtOnce)
		f.uploads.Failed = func(object string, err error) {
			if ctx.Err() == nil {
				env.Log.Warn("map output is on the disk only", "object", object, "err", err)
			}
		}
	}
	return f, nil
}

// close ends what runs in the background. Files stay: they are the gang's.
func (f *exchangeFiles) close(log *slog.Logger) {
	f.stop()
	if f.uploads != nil {
		_ = f.uploads.Wait() // told one by one
	}
	if f.memory != nil {
		if err := f.memory.Close(); err != nil {
			log.Warn("let go of shared memory", "err", err)
		}
	}
}

// folders are where readers look for them.
func (f *exchangeFiles) folders(shm string) []string {
	if f.durability == shuffle.DurableMemory && shm != "" {
		return []string{shm, f.dir}
	}
	return []string{f.dir}
}

// place is where a file is written, and how.
type place struct {
	path    string
	options shuffle.WriterOptions
}

func (f *exchangeFiles) place(name string) place {
	return place{filepath.Join(f.dir, name), shuffle.WriterOptions{Arena: f.memory, Codec: f.codec, Codecs: &f.codecs}}
}

// share brings a file to the store, now or soon, if it must outlive the machine.
// A file that must and cannot is removed.
func (f *exchangeFiles) share(ctx context.Context, x *shuffle.Index) error {
	path, object := filepath.Join(f.dir, x.Name), f.prefix+x.Name
	switch f.durability {
	case shuffle.DurableStore:
		if err := shuffle.Upload(ctx, f.store, path, x, object); err != nil {
			return errors.Join(err, f.remove(x.Name))
		}
	case shuffle.DurableStoreAsync:
		f.uploads.Upload(f.store, path, x, object)
	}
	return nil
}

// remove takes back a file that nobody was told of.
func (f *exchangeFiles) remove(name string) error {
	if f.memory != nil {
		if err := f.memory.Recycle(name); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Remove(filepath.Join(f.dir, name))
}

// shmOf is how much of an executor's memory exchange files may take.
func shmOf(body *spec.Body, limit core.Bytes) int {
	if body.Shuffle.Durability != string(shuffle.DurableMemory) {
		return 0
	}
	if limit <= 0 {
		limit = defaultMemory
	}
	return int(limit) / 4
}

// exchangeName is the name of the exchange file that a try makes. makerOf reads
// it.
func exchangeName(r *task.Run) string { return fmt.Sprintf("%s.%d.x", r.Task, r.Try) }

func makerOf(name string) (task.ID, bool) {
	phase, rest, _ := strings.Cut(name, "-")
	digits, _, ok := strings.Cut(rest, ".")
	n, err := strconv.Atoi(digits)
	id := task.ID{Phase: task.Phase(phase), Index: n}
	return id, ok && err == nil && (id.Phase == task.Map || id.Phase == task.Merge)
}
