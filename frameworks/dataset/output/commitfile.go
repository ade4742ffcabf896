package output

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset"
)

// vacant is Exists for a folder: it is absent or empty.
func (d dest) vacant() error {
	entries, err := os.ReadDir(d.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, unix.ENOTDIR), err == nil && len(entries) > 0:
		return d.taken()
	case err != nil:
		return diskError(d.dir, err)
	}
	return nil
}

// replaceable is Exists for a folder that may be replaced: it is absent, empty,
// or a result. Anything else a mistyped path may name is not ours to delete.
func (d dest) replaceable() error {
	if d.vacant() == nil {
		return nil
	}
	for _, mark := range []string{manifestName, successName} {
		if _, err := os.Lstat(filepath.Join(d.dir, mark)); err == nil {
			return nil
		}
	}
	return d.noResult()
}

func (d dest) noResult() error {
	return core.Errorf(core.Conflict, "the output exists and is not the result of a job: %s", d.url).At("spec.output.path").
		Do("ifExists: replace replaces results only; choose another folder, or remove this one")
}

func diskError(where string, err error) error {
	e := &core.Error{Kind: core.Failed, What: "output cannot be written", Where: where, Err: err}
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		e.Remedy = "free space on the disk of the output folder and run: capstan retry"
	case errors.Is(err, unix.EBUSY):
		e.Remedy = "a mount point cannot be replaced in one step: choose a folder below it"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		e.Remedy = "let the host's user write there, or choose another output folder"
	}
	return e
}

// hiddenName is the name of a folder of ours beside the destination; end is
// "tmp" while it is filled, "old" for a result renamed away.
func (d dest) hiddenName(job core.JobID, epoch core.Epoch, end string) string {
	return filepath.Join(filepath.Dir(d.dir), fmt.Sprintf(".%s.%s.%d.%s.%s", filepath.Base(d.dir), job, epoch, rand.Text()[:8], end))
}

// hides reports whether name is a hiddenName of job: all of it is looked at,
// since the folder beside ours may be called ours and a dot and more.
func (d dest) hides(name string, job core.JobID) bool {
	rest, ok := strings.CutPrefix(name, fmt.Sprintf(".%s.%s.", filepath.Base(d.dir), job))
	parts := strings.Split(rest, ".")
	return ok && len(parts) == 3 && (parts[2] == "tmp" || parts[2] == "old")
}

func (d dest) commitFiles(ctx context.Context, st Store, out dataset.Output, parts []Part, m Manifest) (Manifest, error) {
	if have, ok, err := d.mine(ctx, m.Job); ok || err != nil {
		return have, err
	}
	if out.IfExists != "replace" {
		if err := d.vacant(); err != nil {
			// The folder may have been filled by a racer of our own job.
			if have, ok, merr := d.mine(ctx, m.Job); ok && merr == nil {
				return have, nil
			}
			return m, err
		}
	}
	if err := os.MkdirAll(filepath.Dir(d.dir), 0o777); err != nil {
		return m, diskError(d.dir, err)
	}
	tmp := d.hiddenName(m.Job, m.Epoch, "tmp")
	defer os.RemoveAll(tmp)
	if err := fill(ctx, st, tmp, parts, m); err != nil {
		return m, err
	}
	return d.reveal(ctx, tmp, out, m)
}

// mine returns the manifest of job's result if that is what the folder holds.
func (d dest) mine(ctx context.Context, job core.JobID) (Manifest, bool, error) {
	b, err := d.readAll(ctx, nil, manifestName)
	if err != nil {
		return Manifest{}, false, nil // vacant says what is wrong, if anything is
	}
	m, err := decodeManifest(d.url, b)
	return m, err == nil && m.Job == job, nil
}

// fill writes the whole result into dir, durably.
func fill(ctx context.Context, st Store, dir string, parts []Part, m Manifest) error {
	staged := make(map[string]string, len(parts))
	dirs := map[string]bool{dir: true}
	for _, p := range parts {
		staged[p.Path()] = p.Object
		dirs[filepath.Dir(filepath.Join(dir, p.Path()))] = true
	}
	for sub := range dirs {
		if err := os.MkdirAll(sub, 0o777); err != nil {
			return diskError(sub, err)
		}
	}
	// Several at once, for the sake of the fsyncs.
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(placers)
	for _, p := range m.Parts {
		g.Go(func() error { return fetch(gctx, st, staged[p.Path], filepath.Join(dir, p.Path), p) })
	}
	g.Go(func() error { return writeSynced(filepath.Join(dir, manifestName), m.encode()) })
	g.Go(func() error { return writeSynced(filepath.Join(dir, successName), nil) })
	if err := g.Wait(); err != nil {
		return err
	}
	for sub := range dirs {
		if err := syncDir(sub); err != nil {
			return err
		}
	}
	return nil
}

// fetch brings a staged part to the file name: by another name for the store's
// own file, which is synced and never written again, or by copying it.
func fetch(ctx context.Context, st Store, object, name string, p ManifestPart) error {
	if own, ok := st.LocalFile(object); ok && link(own, name) {
		return verify(name, object, p)
	}
	return copyPart(ctx, st, object, name, p)
}

// link gives the regular file own a second name, if that can be: on one file
// system, and where all may read it who may read a file of ours.
func link(own, name string) bool {
	fi, err := os.Stat(own)
	return err == nil && fi.Mode().IsRegular() && fi.Mode().Perm()&0o444 == 0o444 && os.Link(own, name) == nil
}

// verify reads the file name, which is the part that object holds.
func verify(name, object string, p ManifestPart) error {
	f, err := os.Open(name)
	if err != nil {
		return diskError(name, err)
	}
	defer f.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, &checked{r: f, part: p, from: object}, make([]byte, 256<<10))
	return err
}

func copyPart(ctx context.Context, st Store, object, name string, p ManifestPart) error {
	r, err := stage(ctx, st, object)
	if err != nil {
		return fmt.Errorf("place part %s: %w", p.Path, err)
	}
	defer r.Close()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return diskError(name, err)
	}
	defer f.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{f}, &checked{r: r, part: p, from: object}, make([]byte, 256<<10)); err != nil {
		if _, ok := errors.AsType[*core.Error](err); ok {
			return err
		}
		return diskError(name, err)
	}
	return finishFile(f, name)
}

func writeSynced(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return diskError(name, err)
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return diskError(name, err)
	}
	return finishFile(f, name)
}

func finishFile(f *os.File, name string) error {
	if err := f.Sync(); err != nil {
		return diskError(name, err)
	}
	if err := f.Close(); err != nil {
		return diskError(name, err)
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return diskError(dir, err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return diskError(dir, err)
	}
	return nil
}

// lockParent makes committers into one folder take turns. The lock goes with
// the process.
func (d dest) lockParent() (unlock func(), err error) {
	parent, err := os.Open(filepath.Dir(d.dir))
	if err != nil {
		return nil, diskError(d.dir, err)
	}
	for {
		err = unix.Flock(int(parent.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		parent.Close()
		return nil, diskError(d.dir, fmt.Errorf("lock %s: %w", parent.Name(), err))
	}
	return func() { parent.Close() }, nil
}

// reveal is the commit's one step: tmp becomes the destination.
func (d dest) reveal(ctx context.Context, tmp string, out dataset.Output, m Manifest) (Manifest, error) {
	unlock, err := d.lockParent()
	if err != nil {
		return m, err
	}
	defer unlock()
	if have, ok, err := d.mine(ctx, m.Job); ok || err != nil {
		return have, err
	}
	if err := d.moveIn(tmp, out, m); err != nil {
		return m, err
	}
	return m, syncDir(filepath.Dir(d.dir))
}

func (d dest) moveIn(tmp string, out dataset.Output, m Manifest) error {
	// rename(2) replaces an empty folder and refuses one that is not.
	err := unix.Rename(tmp, d.dir)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOTDIR):
		return d.taken()
	case !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EEXIST):
		return diskError(d.dir, err)
	case out.IfExists != "replace":
		return d.taken()
	}
	if err := d.replaceable(); err != nil {
		return err
	}
	if unix.Renameat2(unix.AT_FDCWD, tmp, unix.AT_FDCWD, d.dir, unix.RENAME_EXCHANGE) == nil {
		return nil // the old result is in tmp, which is removed
	}
	old := d.hiddenName(m.Job, m.Epoch, "old")
	if err := unix.Rename(d.dir, old); err != nil {
		return diskError(d.dir, err)
	}
	if err := unix.Rename(tmp, d.dir); err != nil {
		return errors.Join(diskError(d.dir, err), unix.Rename(old, d.dir))
	}
	return os.RemoveAll(old)
}

func (d dest) sweep(job core.JobID) error {
	unlock, err := d.lockParent()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	parent := filepath.Dir(d.dir)
	entries, err := os.ReadDir(parent)
	if err != nil {
		return diskError(parent, err)
	}
	for _, e := range entries {
		if !d.hides(e.Name(), job) {
			continue
		}
		name := filepath.Join(parent, e.Name())
		if strings.HasSuffix(name, ".old") {
			if _, err := os.Lstat(d.dir); errors.Is(err, fs.ErrNotExist) {
				if err := os.Rename(name, d.dir); err != nil {
					return diskError(d.dir, err)
				}
				continue
			}
		}
		if err := os.RemoveAll(name); err != nil {
			return diskError(name, err)
		}
	}
	return nil
}
