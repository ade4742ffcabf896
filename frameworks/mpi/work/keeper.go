package work

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
)

// keeper keeps the application's checkpoint in the store. One without a folder
// keeps nothing.
type keeper struct {
	*worker
	dir    string // below which files are kept; ""
	prefix string // "bucket/key/", where
}

func newKeeper(w *worker) keeper {
	c := w.body.Checkpoint
	if c.Path == "" {
		return keeper{worker: w}
	}
	k := keeper{w, filepath.Join(w.home(), c.Path), w.env.Store.Prefix + "checkpoint/"}
	if to, ok := strings.CutPrefix(c.To, "s3://"); ok {
		k.prefix = strings.TrimSuffix(to, "/") + "/"
	}
	return k
}

// alone calls do while no other executor of the node does.
func (k *keeper) alone(do func() error) error {
	f, err := os.OpenFile(filepath.Join(k.env.Shared, "checkpoint.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return diskError(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return diskError(err)
	}
	return do()
}

// bring has the checkpoint in the working directory, if there is one and the
// folder is not there (law W6).
func (k *keeper) bring(ctx context.Context) error {
	if k.dir == "" {
		return nil
	}
	return k.alone(func() error {
		if _, err := os.Stat(k.dir); err == nil {
			return nil
		}
		st, err := store.Open(k.env.Store)
		if err != nil {
			return err
		}
		defer st.Close()
		// Whole or not at all: the next run looks whether the folder is there.
		part := k.dir + ".part"
		if err := os.RemoveAll(part); err != nil {
			return diskError(err)
		}
		found := false
		for info, err := range st.List(ctx, k.prefix, "") {
			if err != nil {
				return err
			}
			found = true
			if err := k.fetch(ctx, st, info.Path, part); err != nil {
				return err
			}
		}
		if !found {
			return nil
		}
		return os.Rename(part, k.dir)
	})
}

// fetch copies an object into its file below dir.
func (k *keeper) fetch(ctx context.Context, st *store.Client, object, dir string) error {
	name := filepath.FromSlash(strings.TrimPrefix(object, k.prefix))
	if !filepath.IsLocal(name) {
		return core.Errorf(core.Denied, "the checkpoint has a file %q that leads out of its folder", name).At("s3://" + object)
	}
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return diskError(err)
	}
	r, _, err := st.Get(ctx, object, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.Create(path)
	if err != nil {
		return diskError(err)
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// keep puts the checkpoint into the store. A failure is told and ends nothing: the
// one before is there.
func (k *keeper) keep(ctx context.Context) {
	if k.dir == "" {
		return
	}
	err := k.alone(func() error {
		st, err := store.Open(k.env.Store)
		if err != nil {
			return err
		}
		defer st.Close()
		root, err := os.OpenRoot(k.dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer root.Close()
		return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			_, err = st.PutFile(ctx, k.prefix+name, filepath.Join(k.dir, filepath.FromSlash(name)), store.PutOptions{})
			return err
		})
	})
	if err != nil && ctx.Err() == nil {
		k.env.Log.Warn("the checkpoint is not kept", "err", err)
	}
}
