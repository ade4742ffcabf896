package docker

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree makes a machine: "dir/", "file", "link -> target", "private/ 0700".
func tree(t *testing.T, entries ...string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name, target, isLink := strings.Cut(e, " -> ")
		name, private := strings.CutSuffix(name, " 0700")
		p := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		switch {
		case err != nil:
		case isLink:
			err = os.Symlink(target, p)
		case strings.HasSuffix(name, "/"):
			if err = os.MkdirAll(p, 0o755); private {
				err = errors.Join(err, os.Chmod(p, 0o700))
			}
		default:
			err = os.WriteFile(p, nil, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFindUserland(t *testing.T) {
	for name, c := range map[string]struct {
		machine []string
		path    string
		want    userland
	}{
		"merged": {
			machine: []string{"usr/bin/", "bin -> usr/bin", "lib -> usr/lib", "etc/ld.so.cache", "etc/shadow", "etc/ssl/certs/", "etc/ssl/private/"},
			path:    "/usr/bin:/bin:relative:",
			want: userland{
				links:  []link{{"/bin", "usr/bin"}, {"/lib", "usr/lib"}},
				mounts: []string{"/usr", "/etc/ld.so.cache", "/etc/ssl/certs"},
				path:   standardPath,
			},
		},
		"apart, with tools elsewhere": {
			machine: []string{
				"usr/go/bin/", "bin/", "lib/", "opt/", "srv/tools/bin/", "home/a/ 0700", "home/a/bin/",
				"etc/python3.11/", "etc/python3/", "etc/alternatives/", "srv/file",
			},
			path: "/home/a/bin:/srv/tools/bin:/usr/go/bin:/srv/file:/missing:/srv/tools/bin",
			want: userland{
				mounts: []string{"/usr", "/opt", "/bin", "/lib", "/etc/alternatives", "/etc/python3", "/etc/python3.11", "/srv/tools/bin"},
				path:   standardPath + ":/srv/tools/bin:/usr/go/bin",
			},
		},
		"bare": {machine: nil, path: "/usr/bin", want: userland{path: standardPath}},
	} {
		got := findUserland(tree(t, c.machine...), c.path)
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(userland{}, link{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The image is the same bytes each time, holds no program, and its name
// follows its content.
func TestBaseImage(t *testing.T) {
	a, again := makeBase(userland{}), makeBase(userland{})
	if a.tag != again.tag || !bytes.Equal(a.tar, again.tar) {
		t.Error("two images of one content")
	}
	b := makeBase(userland{links: []link{{"/bin", "usr/bin"}}})
	if a.tag == b.tag {
		t.Error("one name for two images")
	}
	var names []string
	r := tar.NewReader(bytes.NewReader(b.tar))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if h.Typeflag == tar.TypeReg && h.Mode&0o111 != 0 {
			t.Errorf("%s is a program", h.Name)
		}
	}
	for _, want := range []string{"tmp/", "etc/passwd", "etc/group", "bin", "capstan/gang/"} {
		if !slices.Contains(names, want) {
			t.Errorf("the image lacks %s: %v", want, names)
		}
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var got tail
	for i := range 100 {
		if n, err := got.Write(bytes.Repeat([]byte{byte(i)}, 1000)); n != 1000 || err != nil {
			t.Fatal(n, err)
		}
	}
	if len(got) != tailBytes || got[len(got)-1] != 99 || got[0] != 83 {
		t.Errorf("%d bytes from %d to %d", len(got), got[0], got[len(got)-1])
	}
	got = nil
	big := bytes.Repeat([]byte("x"), 2*tailBytes)
	got.Write(append(big, 'y'))
	if len(got) != tailBytes || got[len(got)-1] != 'y' {
		t.Errorf("%d bytes", len(got))
	}
}
