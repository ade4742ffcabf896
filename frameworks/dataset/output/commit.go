package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset"
	"github.com/capstan-run/capstan/shuffle/store"
)

// placers is how many parts are copied at once.
const placers = 8

// Exists is the check at submit time: a Conflict if a result could not be
// committed to out because something is there. st may be nil; then places in
// the store are not looked at.
func Exists(ctx context.Context, st Store, out dataset.Output) error {
	d, err := parseDest(out.Path)
	replace := out.IfExists == "replace"
	switch {
	case err != nil:
		return err
	case d.local() && replace:
		return d.replaceable()
	case d.local():
		return d.vacant()
	case st == nil:
		return nil
	case replace:
		return d.replaceableStore(ctx, st)
	}
	return d.vacantStore(ctx, st)
}

// Committed returns the manifest of job's result at out, and whether there is
// one: a coordinator asks at its start, since an attempt before it may have
// committed and died. A result that the crash left half placed is finished.
func Committed(ctx context.Context, st Store, out dataset.Output, job core.JobID) (Manifest, bool, error) {
	m, err := ReadManifest(ctx, st, out.Path)
	if core.KindOf(err) == core.NotFound {
		return Manifest{}, false, nil
	}
	if err != nil || m.Job != job {
		return m, false, err
	}
	d, err := parseDest(out.Path)
	if err == nil && !d.local() {
		err = d.finish(ctx, st, m)
	}
	return m, err == nil, err
}

// Commit makes parts the result at out.Path, in one step (law O1), and returns
// its manifest. If another attempt of meta.Job has committed already, its
// result stands, is finished, and its manifest is returned: compare Epoch (law
// O2). A result of another job is a Conflict unless out.IfExists is "replace".
//
// After any other error it is open whether the result is committed: call
// Commit again.
func Commit(ctx context.Context, st Store, out dataset.Output, parts []Part, meta Meta) (Manifest, error) {
	d, err := parseDest(out.Path)
	if err != nil {
		return Manifest{}, err
	}
	m, err := manifestOf(out, parts, meta, !d.local())
	if err != nil {
		return m, err
	}
	if d.local() {
		return d.commitFiles(ctx, st, out, parts, m)
	}
	return d.commitObjects(ctx, st, out, m)
}

// Sweep removes what a crashed commit of job left at or beside its destination,
// and brings a result back that it had taken away but not replaced. Call it
// when the job has ended for good, whatever the outcome.
func Sweep(ctx context.Context, st Store, out dataset.Output, job core.JobID) error {
	d, err := parseDest(out.Path)
	if err != nil {
		return err
	}
	if d.local() {
		return d.sweep(job)
	}
	return d.sweepObjects(ctx, st)
}

func (d dest) taken() *core.Error {
	remedy := "choose another folder, or set spec.output.ifExists: replace"
	if d.local() {
		remedy = "choose another folder, remove this one, or set spec.output.ifExists: replace"
	}
	return core.Errorf(core.Conflict, "the output exists: %s", d.url).At("spec.output.path").Do(remedy)
}

// stage opens a staged part: as a plain file where the store's disk is here.
func stage(ctx context.Context, st Store, object string) (io.ReadCloser, error) {
	if name, ok := st.LocalFile(object); ok {
		if f, err := os.Open(name); err == nil {
			return f, nil
		}
	}
	r, _, err := st.Get(ctx, object, 0, -1)
	return r, err
}

// checked reads a part and holds back its end until all of it has proved right
// (law O3): a body that ends in an error becomes no object and no file.
type checked struct {
	r    io.Reader
	part ManifestPart
	from string
	n    int64
	sum  uint32
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.sum = crc32.Update(c.sum, castagnoli, p[:n])
	if c.n < c.part.Bytes && err == nil {
		return n, nil
	}
	if err != nil && err != io.EOF {
		return 0, err
	}
	if c.n != c.part.Bytes || c.sum != c.part.CRC32C {
		return 0, core.Errorf(core.Failed, "part %s changed after it was written: %d bytes with CRC32C %08x, not %d with %08x",
			c.part.Path, c.n, c.sum, c.part.Bytes, c.part.CRC32C).At(c.from).Do("check the disk of the store, and run the job again")
	}
	return n, err
}

// vacantStore is Exists for a place in the store.
func (d dest) vacantStore(ctx context.Context, st Store) error {
	for o, err := range st.List(ctx, d.prefix+"/", "") {
		if errors.Is(err, store.ErrNotFound) {
			return nil // no bucket yet
		}
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(o.Path, d.prefix+"/")
		if rel == manifestName || !(strings.HasPrefix(rel, "_") || strings.HasPrefix(rel, ".")) {
			return d.taken()
		}
	}
	return nil
}

// replaceableStore is Exists for a place in the store whose result may be
// replaced: what lies there and is no result would be mixed with ours.
func (d dest) replaceableStore(ctx context.Context, st Store) error {
	if _, err := ReadManifest(ctx, st, d.url); core.KindOf(err) != core.NotFound {
		return err
	}
	if old, err := d.replaced(ctx, st); old != nil || err != nil {
		return err // a crash came between its end and its successor's commit
	}
	err := d.vacantStore(ctx, st)
	if core.KindOf(err) == core.Conflict {
		return d.noResult()
	}
	return err
}

func (d dest) commitObjects(ctx context.Context, st Store, out dataset.Output, m Manifest) (Manifest, error) {
	bucket, _, _ := strings.Cut(d.prefix, "/")
	if err := st.EnsureBucket(ctx, bucket); err != nil {
		return m, err
	}
	old, err := ReadManifest(ctx, st, d.url)
	switch {
	case err == nil && old.Job == m.Job:
		return old, d.finish(ctx, st, old)
	case err == nil && out.IfExists != "replace":
		return m, d.taken()
	case err == nil:
		err = d.retire(ctx, st, old)
	case core.KindOf(err) == core.NotFound:
		vacant := d.vacantStore
		if out.IfExists == "replace" {
			vacant = d.replaceableStore
		}
		err = vacant(ctx, st)
	}
	if err != nil && core.KindOf(err) != core.Conflict {
		return m, err
	}
	// A Conflict here may be the very commit we race with: the manifest decides.
	conflict := err
	if err == nil {
		conflict = d.taken()
		err = st.Commit(ctx, d.prefix+"/"+manifestName, m.encode())
	}
	if errors.Is(err, store.ErrExists) || core.KindOf(err) == core.Conflict {
		now, rerr := ReadManifest(ctx, st, d.url)
		if rerr == nil && now.Job == m.Job {
			return now, d.finish(ctx, st, now)
		}
		return m, conflict
	}
	if err != nil {
		return m, err
	}
	return m, d.finish(ctx, st, m)
}

// retire takes a result's manifest away, after noting what it named, so that
// its parts can be removed, or the result brought back, whatever crashes.
func (d dest) retire(ctx context.Context, st Store, old Manifest) error {
	earlier, err := d.replaced(ctx, st)
	if err == nil {
		err = d.removeReplaced(ctx, st, earlier, old)
	}
	if err != nil {
		return err
	}
	b := old.encode()
	if _, err := st.Put(ctx, d.prefix+"/"+replacedName, bytes.NewReader(b), int64(len(b)), store.PutOptions{}); err != nil {
		return err
	}
	return st.Delete(ctx, d.prefix+"/"+manifestName)
}

// finish places the parts of a committed manifest, removes those of the one it
// replaced, and marks the folder as complete. Every step may be repeated.
func (d dest) finish(ctx context.Context, st Store, m Manifest) error {
	old, err := d.replaced(ctx, st)
	if err != nil {
		return err
	}
	if _, err := st.Stat(ctx, d.prefix+"/"+successName); err == nil && old == nil && d.placed(ctx, st, m) {
		return nil
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(placers)
	for _, p := range m.Parts {
		g.Go(func() error { return d.place(gctx, st, p) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := d.removeReplaced(ctx, st, old, m); err != nil {
		return err
	}
	if _, err := st.Put(ctx, d.prefix+"/"+successName, strings.NewReader(""), 0, store.PutOptions{}); err != nil {
		return err
	}
	return d.still(ctx, st, m)
}

// replaced returns the manifest that was retired here, nil if none was.
func (d dest) replaced(ctx context.Context, st Store) (*Manifest, error) {
	b, err := d.readAll(ctx, st, replacedName)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := decodeManifest(d.url, b)
	return &m, err
}

func (d dest) removeReplaced(ctx context.Context, st Store, old *Manifest, m Manifest) error {
	if old == nil {
		return nil
	}
	keep := make(map[string]bool, len(m.Parts))
	for _, p := range m.Parts {
		keep[p.Path] = true
	}
	for _, p := range old.Parts {
		if keep[p.Path] {
			continue
		}
		if err := st.Delete(ctx, d.prefix+"/"+p.Path); err != nil {
			return err
		}
	}
	return st.Delete(ctx, d.prefix+"/"+replacedName)
}

// sweepObjects brings a retired result back if nothing took its place.
func (d dest) sweepObjects(ctx context.Context, st Store) error {
	old, err := d.replaced(ctx, st)
	if err != nil || old == nil {
		return err
	}
	err = st.Commit(ctx, d.prefix+"/"+manifestName, old.encode())
	if err == nil {
		return st.Delete(ctx, d.prefix+"/"+replacedName)
	}
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	now, err := ReadManifest(ctx, st, d.url)
	if err != nil {
		return err
	}
	return d.finish(ctx, st, now)
}

// placed reports whether every part has its place.
func (d dest) placed(ctx context.Context, st Store, m Manifest) bool {
	for _, p := range m.Parts {
		if info, err := st.Stat(ctx, d.prefix+"/"+p.Path); err != nil || info.Size != p.Bytes {
			return false
		}
	}
	return true
}

// still reports a Conflict if another job has replaced m meanwhile, after
// taking m's parts away again.
func (d dest) still(ctx context.Context, st Store, m Manifest) error {
	now, err := ReadManifest(ctx, st, d.url)
	if core.KindOf(err) != core.NotFound && (err != nil || now.Job == m.Job) {
		return err
	}
	for _, p := range m.Parts {
		if err := st.Delete(ctx, d.prefix+"/"+p.Path); err != nil {
			return err
		}
	}
	return core.Errorf(core.Conflict, "another job replaced the result at the same time").At(d.url).
		Do("give each job an output folder of its own")
}

// place copies one staged part to its place, unless it is there.
func (d dest) place(ctx context.Context, st Store, p ManifestPart) error {
	to := d.prefix + "/" + path.Clean(p.Path)
	if info, err := st.Stat(ctx, to); err == nil && info.Size == p.Bytes {
		return nil
	}
	r, err := stage(ctx, st, p.Staged)
	if err != nil {
		return fmt.Errorf("place part %s: %w", p.Path, err)
	}
	defer r.Close()
	_, err = st.Put(ctx, to, &checked{r: r, part: p, from: p.Staged}, p.Bytes, store.PutOptions{})
	return err
}
