package store

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/capstan-run/capstan/core"
)

func TestParsePath(t *testing.T) {
	for s, want := range map[string]Path{
		"abc/k":         {"abc", "k"},
		"a-b.c/x/y z/é": {"a-b.c", "x/y z/é"},
	} {
		if p, err := ParsePath(s); err != nil || p != want || p.String() != s {
			t.Errorf("%q: %v, %v", s, p, err)
		}
	}
	for _, s := range []string{
		"", "abc", "abc/", "ab/k", "Abc/k", "-abc/k", "a..c/k", "abc//k", "abc/k/", "abc/./k", "abc/../k", "abc/a/..",
		"abc/a\x00b", "abc/a\nb", "abc/\xff", "abc/.sgwtmp/x", "/abc/k",
		"abc/" + strings.Repeat("x", 256), "abc/" + strings.Repeat("x/", 600) + "y",
	} {
		if p, err := ParsePath(s); core.KindOf(err) != core.Invalid {
			t.Errorf("%q: %v, %v", s, p, err)
		}
	}
	if p, err := ParsePrefix("abc/"); err != nil || p != (Path{"abc", ""}) {
		t.Errorf("a whole bucket: %v, %v", p, err)
	}
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"abc/k", "abc/a/../b", "abc/%2e%2e/x", "a.b/\u202e", "abc/a b+c", "abc//", "abc/.", "abc/a\\b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s)
		if err != nil {
			if core.KindOf(err) != core.Invalid {
				t.Fatal(err)
			}
			return
		}
		if p.String() != s {
			t.Fatalf("%q is read as %q", s, p)
		}
		// One spelling on the disk, below the root.
		file := localFile("/root", p)
		if back, err := filepath.Rel("/root", file); err != nil || filepath.ToSlash(back) != s {
			t.Fatalf("%q lies at %q", s, file)
		}
		// One spelling in a URL.
		u, err := url.Parse("http://h" + s3utils.EncodePath("/"+s))
		if err != nil || u.Path != "/"+s || u.RawQuery != "" {
			t.Fatalf("%q travels as %v, %v", s, u, err)
		}
	})
}
