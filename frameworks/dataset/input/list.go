package input

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset"
	"github.com/capstan-run/capstan/shuffle/store"
)

// Lister lists objects of the store. A *store.Client is one.
type Lister interface {
	List(ctx context.Context, prefix, startAfter string) iter.Seq2[store.Info, error]
}

// List finds the files of in, each once, ordered by URL (law I5). lister may be
// nil if no path is s3://. Every fault of every path is in the error, an
// *core.Error of kind Invalid or NotFound with diagnostics.
func List(ctx context.Context, in dataset.Input, lister Lister) ([]File, error) {
	var files []File
	var faults []*core.Error
	bases := Base(in.Path)
	for i, p := range in.Path {
		found, err := listOne(ctx, p, bases, lister)
		if err == nil && len(found) == 0 && !in.AllowEmpty {
			err = core.Errorf(core.NotFound, "%s matches no file", p).
				Do("check the path, or set spec.input.allowEmpty: true if no input is fine")
		}
		var e *core.Error
		switch {
		case err == nil:
		case errors.As(err, &e):
			e.Where = where(in.Path, i)
			faults = append(faults, e)
		default:
			return nil, err
		}
		files = append(files, found...)
	}
	if len(faults) > 0 {
		return nil, join(faults)
	}
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.URL, b.URL) })
	return slices.CompactFunc(files, func(a, b File) bool { return a.URL == b.URL }), nil
}

func where(paths []string, i int) string {
	if len(paths) == 1 {
		return "spec.input.path"
	}
	return fmt.Sprintf("spec.input.path[%d]", i)
}

func join(faults []*core.Error) error {
	first := faults[0]
	if len(faults) == 1 {
		return first
	}
	all := &core.Error{Kind: first.Kind, What: fmt.Sprintf("%d input paths cannot be read", len(faults)), Where: "spec.input.path"}
	for _, f := range faults {
		all.Diagnostics = append(all.Diagnostics, core.Diagnostic{Path: f.Where, Message: f.What, Remedy: f.Remedy})
	}
	return all
}

// Base is the fixed folder in front of each file:// path's first wildcard (or
// the path itself): what executors must see to read the input. Sorted, without
// those that lie below another.
func Base(paths []string) []string {
	var bases []string
	for _, p := range paths {
		if local, err := LocalPath(p); err == nil {
			bases = append(bases, split(local).base)
		}
	}
	slices.Sort(bases)
	var top []string
	for _, b := range bases {
		if len(top) == 0 || !below(b, top[len(top)-1]) {
			top = append(top, b)
		}
	}
	return top
}

// below reports whether p is dir or lies in it.
func below(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// pattern is a path cut at its first wildcard.
type pattern struct {
	base string // no wildcards, cleaned
	glob string // "" if there was none
}

func split(p string) pattern {
	if !strings.ContainsAny(p, "*?[{\\") {
		return pattern{base: path.Clean(p)}
	}
	base, glob := doublestar.SplitPattern(p)
	return pattern{base: path.Clean(base), glob: path.Clean(glob)}
}

// match reports whether the file at rel (below base) is meant: it matches, or
// lies below a folder that does, and no part of it is hidden (law I6).
func (p pattern) match(rel string) bool {
	for part := range strings.SplitSeq(rel, "/") {
		if hidden(part) {
			return false
		}
	}
	if p.glob == "" {
		return true
	}
	for at := rel; at != "."; at = path.Dir(at) {
		if doublestar.MatchUnvalidated(p.glob, at) {
			return true
		}
	}
	return false
}

// enter reports whether files below the folder rel can match.
func (p pattern) enter(rel string) bool {
	if p.glob == "" {
		return true
	}
	// A brace may hold slashes: then parts of the pattern are no patterns.
	if strings.Contains(p.glob, "{") {
		return true
	}
	globs, parts := strings.Split(p.glob, "/"), strings.Split(rel, "/")
	for i, part := range parts {
		if i == len(globs) || globs[i] == "**" {
			return true
		}
		if !doublestar.MatchUnvalidated(globs[i], part) {
			return false
		}
	}
	return true
}

func hidden(name string) bool { return name != "" && (name[0] == '.' || name[0] == '_') }

func listOne(ctx context.Context, p string, bases []string, lister Lister) ([]File, error) {
	if rest, ok := strings.CutPrefix(p, "s3://"); ok {
		return listObjects(ctx, rest, lister)
	}
	if !strings.HasPrefix(p, "file://") {
		return nil, notURL(p)
	}
	local, err := LocalPath(p)
	if err != nil {
		return nil, err
	}
	pat := split(local)
	if !doublestar.ValidatePattern(local) {
		return nil, core.Errorf(core.Invalid, "%s is not a valid pattern", p).
			Do("close every [ and {; put \\ before one that is part of a name")
	}
	w := walk{ctx: ctx, pattern: pat, bases: bases}
	if err := w.start(); err != nil {
		return nil, err
	}
	return w.files, nil
}

func notURL(p string) error {
	e := core.Errorf(core.Invalid, "%q is not a file:// or s3:// URL", p)
	if strings.Contains(p, "://") {
		return e.Do("only file:// and s3:// can be read")
	}
	if abs, err := filepath.Abs(p); err == nil && filepath.IsAbs(p) {
		return e.Do("write file://" + abs)
	}
	return e.Do("write file:// and the absolute path")
}

// walk lists one local path.
type walk struct {
	ctx context.Context
	pattern
	bases []string
	files []File
}

func (w *walk) start() error {
	info, err := os.Stat(w.base)
	if errors.Is(err, fs.ErrNotExist) {
		return core.Errorf(core.NotFound, "no such file or folder: %s", w.base).Do("check the path; it must exist on the machine the host runs on")
	}
	if err != nil {
		return unreadable(w.base, err)
	}
	if info.IsDir() {
		return w.folder("")
	}
	if w.glob != "" {
		return nil
	}
	if !info.Mode().IsRegular() {
		return core.Errorf(core.Invalid, "%s is not a regular file", w.base).Do("copy its content to a file")
	}
	w.add(w.base, info.Size())
	return nil
}

func (w *walk) add(p string, size int64) {
	w.files = append(w.files, File{URL: FileURL(p), Size: size})
}

// folder lists the folder at rel. Each name costs one lstat, made only if it
// is meant.
func (w *walk) folder(rel string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	dir := path.Join(w.base, rel)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return unreadable(dir, err)
	}
	for _, d := range entries {
		if hidden(d.Name()) {
			continue
		}
		if err := w.entry(path.Join(rel, d.Name()), d); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(rel string, d fs.DirEntry) error {
	switch {
	case d.IsDir():
		if w.enter(rel) {
			return w.folder(rel)
		}
		return nil
	case !w.match(rel):
		return nil
	case d.Type()&fs.ModeSymlink != 0:
		return w.link(path.Join(w.base, rel))
	case !d.Type().IsRegular():
		return nil // sockets, pipes and devices hold no records
	}
	info, err := d.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed since the folder was read
	}
	if err != nil {
		return unreadable(path.Join(w.base, rel), err)
	}
	w.add(path.Join(w.base, rel), info.Size())
	return nil
}

// link follows a symbolic link to a file that executors can see, under the
// name they see it by.
func (w *walk) link(p string) error {
	target, err := filepath.EvalSymlinks(p)
	if err != nil {
		return unreadable(p, err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return unreadable(p, err)
	}
	if !info.Mode().IsRegular() {
		return core.Errorf(core.Invalid, "%s is a symbolic link to a folder", p).
			Do("name the folder itself in spec.input.path: " + target)
	}
	for _, base := range w.bases {
		real, err := filepath.EvalSymlinks(base)
		if err == nil && below(target, real) {
			w.add(path.Join(base, strings.TrimPrefix(target, real)), info.Size())
			return nil
		}
	}
	return core.Errorf(core.Invalid, "%s is a symbolic link to %s, which executors cannot see", p, target).
		Do("name the target's folder in spec.input.path too, or copy the file")
}

func unreadable(p string, err error) error {
	e := &core.Error{Kind: core.Invalid, What: "input cannot be listed: " + p, Err: errors.Unwrap(err)}
	if e.Err == nil {
		e.Err = err
	}
	if errors.Is(err, fs.ErrPermission) {
		e.Remedy = "let the host read it (chmod +rx)"
	}
	return e
}

// listObjects lists "bucket/key pattern".
func listObjects(ctx context.Context, p string, lister Lister) ([]File, error) {
	bucket, key, _ := strings.Cut(p, "/")
	if bucket == "" || strings.ContainsAny(bucket, "*?[{\\") {
		return nil, core.Errorf(core.Invalid, "s3://%s names no bucket", p).Do("write s3://bucket/folder")
	}
	if lister == nil {
		return nil, core.Errorf(core.Internal, "no store to list s3://%s", p)
	}
	pat := split("/" + key)
	if !doublestar.ValidatePattern(key) {
		return nil, core.Errorf(core.Invalid, "s3://%s is not a valid pattern", p).Do("close every [ and {")
	}
	root := bucket + strings.TrimSuffix(pat.base, "/")
	prefix := root
	if root == bucket {
		prefix += "/"
	}
	var files []File
	for o, err := range lister.List(ctx, prefix, "") {
		if err != nil {
			return nil, err
		}
		if rel, ok := strings.CutPrefix(o.Path, root); ok && pat.object(rel) {
			files = append(files, File{URL: "s3://" + o.Path, Size: o.Size})
		}
	}
	return files, nil
}

// object reports whether the object whose path is base + rel is meant.
func (p pattern) object(rel string) bool {
	switch {
	case rel == "":
		return p.glob == "" // named in full
	case rel[0] != '/', strings.HasSuffix(rel, "/"):
		return false // "logs" lists "logs2" too; a folder's mark holds no records
	}
	return p.match(rel[1:])
}
