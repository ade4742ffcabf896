package input

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset"
	"github.com/capstan-run/capstan/shuffle/store"
)

// memStore is a store in memory: bytes by "bucket/key".
type memStore struct {
	objects map[string][]byte
	gets    atomic.Int64
}

func (m *memStore) List(_ context.Context, prefix, _ string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if _, err := store.ParsePrefix(prefix); err != nil {
			yield(store.Info{}, err)
			return
		}
		for _, k := range slices.Sorted(keys(m.objects)) {
			if strings.HasPrefix(k, prefix) && !yield(store.Info{Path: k, Size: int64(len(m.objects[k]))}, nil) {
				return
			}
		}
	}
}

func keys(m map[string][]byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (m *memStore) Get(_ context.Context, path string, off, length int64) (io.ReadCloser, store.Info, error) {
	m.gets.Add(1)
	p, ok := m.objects[path]
	if !ok {
		return nil, store.Info{}, store.ErrNotFound
	}
	return io.NopCloser(strings.NewReader(string(p[off:min(off+length, int64(len(p)))]))), store.Info{Path: path, Size: int64(len(p))}, nil
}

func TestListTable(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"a.txt", "b.csv", "logs/1.txt", "logs/2.txt", "logs/deep/3.txt", "logs2/4.txt",
		".hidden/5.txt", "_tmp/6.txt", "logs/.7.txt", "logs/_SUCCESS", "odd/100%.txt", "odd/a b.txt", "odd/[x].txt",
	} {
		writeFile(t, dir, name, []byte(name))
	}
	if err := os.Symlink(filepath.Join(dir, "a.txt"), filepath.Join(dir, "logs2", "link.txt")); err != nil {
		t.Fatal(err)
	}
	objects := &memStore{objects: map[string][]byte{}}
	for _, k := range []string{"bkt/logs/1.txt", "bkt/logs/2.csv", "bkt/logs/x/3.txt", "bkt/logs2/4.txt", "bkt/logs/_manifest.json", "bkt/logs/_dead/5.txt", "bkt/one"} {
		objects.objects[k] = []byte(k)
	}
	for _, c := range []struct {
		path string
		want []string
	}{
		{"file://DIR/a.txt", []string{"a.txt"}},
		{"file://DIR/logs", []string{"logs/1.txt", "logs/2.txt", "logs/deep/3.txt"}},
		{"file://DIR/logs/", []string{"logs/1.txt", "logs/2.txt", "logs/deep/3.txt"}},
		{"file://DIR/*.txt", []string{"a.txt"}},
		{"file://DIR/lo*", []string{"a.txt", "logs/1.txt", "logs/2.txt", "logs/deep/3.txt", "logs2/4.txt"}},
		{"file://DIR/**/*.txt", []string{"a.txt", "logs/1.txt", "logs/2.txt", "logs/deep/3.txt", "logs2/4.txt", "odd/100%.txt", "odd/[x].txt", "odd/a b.txt"}},
		{"file://DIR/logs/**", []string{"logs/1.txt", "logs/2.txt", "logs/deep/3.txt"}},
		{"file://DIR/logs/*/3.txt", []string{"logs/deep/3.txt"}},
		{"file://DIR/{a.txt,logs/deep}", []string{"a.txt", "logs/deep/3.txt"}},
		{"file://DIR/logs/[1-9].txt", []string{"logs/1.txt", "logs/2.txt"}},
		{"file://DIR/_tmp", []string{"_tmp/6.txt"}},
		{"file://DIR/logs/.7.txt", []string{"logs/.7.txt"}},
		{"file://DIR/odd/100%25.txt", []string{"odd/100%.txt"}},
		{"file://DIR/odd/100%.txt", []string{"odd/100%.txt"}},
		{"file://DIR/odd/a%20b.txt", []string{"odd/a b.txt"}},
		{"file://DIR/odd/a b.txt", []string{"odd/a b.txt"}},
		{"file://DIR/odd/\\[x\\].txt", []string{"odd/[x].txt"}},
		{"s3://bkt/logs", []string{"bkt/logs/1.txt", "bkt/logs/2.csv", "bkt/logs/x/3.txt"}},
		{"s3://bkt/logs/", []string{"bkt/logs/1.txt", "bkt/logs/2.csv", "bkt/logs/x/3.txt"}},
		{"s3://bkt/logs/*.txt", []string{"bkt/logs/1.txt"}},
		{"s3://bkt/**/*.txt", []string{"bkt/logs/1.txt", "bkt/logs/x/3.txt", "bkt/logs2/4.txt"}},
		{"s3://bkt", []string{"bkt/logs/1.txt", "bkt/logs/2.csv", "bkt/logs/x/3.txt", "bkt/logs2/4.txt", "bkt/one"}},
		{"s3://bkt/one", []string{"bkt/one"}},
	} {
		files, err := List(context.Background(), dataset.Input{Path: dataset.StringList{strings.ReplaceAll(c.path, "DIR", dir)}}, objects)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		var got []string
		for _, f := range files {
			if p, ok := strings.CutPrefix(f.URL, "s3://"); ok {
				got = append(got, p)
				continue
			}
			p, err := LocalPath(f.URL)
			if err != nil {
				t.Fatal(err)
			}
			rel, err := filepath.Rel(dir, p)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, rel)
			if info, err := os.Stat(p); err != nil || info.Size() != f.Size {
				t.Errorf("%s: size %d of %s: %v", c.path, f.Size, p, err)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.path, diff)
		}
	}
}

func TestListFaults(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "sub/a.txt", []byte("a"))
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "sub", "out.lnk")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "sub", "dir.lnk")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		kind core.ErrKind
		text string
	}{
		{"DIR/sub", core.Invalid, "not a file:// or s3:// URL"},
		{"https://x/y", core.Invalid, "not a file:// or s3:// URL"},
		{"file://DIR/none", core.NotFound, "no such file or folder"},
		{"file://DIR/none/*.txt", core.NotFound, "no such file or folder"},
		{"file://DIR/sub/*.csv", core.NotFound, "matches no file"},
		{"file://DIR/sub/[a", core.Invalid, "not a valid pattern"},
		{"file://relative", core.Invalid, "absolute path"},
		{"file://DIR/sub/*.lnk", core.Invalid, "symbolic link to"},
		{"s3://", core.Invalid, "names no bucket"},
		{"s3://bkt/none", core.NotFound, "matches no file"},
	} {
		_, err := List(context.Background(), dataset.Input{Path: dataset.StringList{strings.ReplaceAll(c.path, "DIR", dir)}}, &memStore{})
		e := core.AsError(err)
		if e == nil || e.Kind != c.kind || !strings.Contains(e.Error(), c.text) || e.Where != "spec.input.path" || e.Remedy == "" {
			t.Errorf("%s: %+v", c.path, e)
		}
	}

	_, err := List(context.Background(), dataset.Input{Path: dataset.StringList{"x", "file://" + dir + "/sub/*.txt", "file:///none"}}, nil)
	e := core.AsError(err)
	if e == nil || len(e.Diagnostics) != 2 || e.Diagnostics[1].Path != "spec.input.path[2]" {
		t.Errorf("two faults: %+v", e)
	}
	files, err := List(context.Background(), dataset.Input{Path: dataset.StringList{"file://" + dir + "/*.none"}, AllowEmpty: true}, nil)
	if err != nil || len(files) != 0 {
		t.Errorf("allowEmpty: %v, %v", files, err)
	}
}

func TestListsEachFileOnce(t *testing.T) {
	dir := t.TempDir()
	f := writeFile(t, dir, "a.txt", []byte("a"))
	files, err := List(context.Background(), dataset.Input{Path: dataset.StringList{"file://" + dir, "file://" + dir + "/*.txt", f.URL}}, nil)
	if err != nil || len(files) != 1 || files[0] != f {
		t.Fatalf("%v, %v", files, err)
	}
}

func TestBase(t *testing.T) {
	got := Base([]string{"file:///data/books/**/*.txt", "file:///data/books/one.txt", "s3://bkt/x", "file:///data/booksellers", "file:///var/log/", "file:///*"})
	if diff := cmp.Diff([]string{"/"}, got); diff != "" {
		t.Error(diff)
	}
	got = Base([]string{"file:///data/books/**/*.txt", "file:///data/books/one.txt", "file:///data/booksellers"})
	if diff := cmp.Diff([]string{"/data/books", "/data/booksellers"}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzListPath(f *testing.F) {
	for _, p := range []string{"file:///x/*", "s3://bkt/{a,b}/**", "file:///%zz", "s3://[", "file:///a\\"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if strings.HasPrefix(p, "file://") {
			p = "s3://bkt/" + p // no walks of the tester's disk
		}
		st := &memStore{objects: map[string][]byte{"bkt/a/b": nil, "bkt/c": nil}}
		files, err := List(context.Background(), dataset.Input{Path: dataset.StringList{p}}, st)
		if err == nil && len(files) == 0 {
			t.Fatalf("%q: neither files nor an error", p)
		}
	})
}

func BenchmarkList(b *testing.B) {
	dir := b.TempDir()
	for i := range 10000 {
		writeFile(b, dir, fmt.Sprintf("%d/%d.go", i/100, i), []byte("x\n"))
	}
	in := dataset.Input{Path: dataset.StringList{"file://" + dir + "/**/*.go"}}
	for b.Loop() {
		files, err := List(context.Background(), in, nil)
		if err != nil || len(files) != 10000 {
			b.Fatal(len(files), err)
		}
	}
}
