package plugins

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The directory of a host that lives stays; that of a dead one goes when the
// next host starts.
func TestSocketDirs(t *testing.T) {
	root := t.TempDir()
	living, err := newSocketDir(root)
	if err != nil {
		t.Fatal(err)
	}
	dead, err := newSocketDir(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(dead.path, "plugin-dir1"), 0o700), dead.lock.Close()); err != nil {
		t.Fatal(err)
	}
	target := t.TempDir()
	others := []string{filepath.Join(root, "capstan-other"), filepath.Join(root, socketDirs+"link"), filepath.Join(root, socketDirs+"file")}
	if err := errors.Join(os.Mkdir(others[0], 0o700), os.Symlink(target, others[1]), os.WriteFile(others[2], nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	next, err := newSocketDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(others, living.path, next.path, target) {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("swept: %v", err)
		}
	}
	if _, err := os.Lstat(dead.path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the dead host's directory: %v", err)
	}
	for _, d := range []*socketDir{living, next} {
		if err := d.remove(); err != nil {
			t.Error(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(root, socketDirs+"[0-9]*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

// A state folder or TMPDIR that is too long for a socket's name is no hindrance.
func TestLongPaths(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("a", 80))
	t.Setenv("TMPDIR", long)
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	s := supervise(t, Config{Runtime: filepath.Join(long, "run")})
	if _, err := s.Plan(t.Context(), jobOf(script{})); err != nil {
		t.Error(err)
	}
	short := s.pad.dir
	if len(short) > longestDir {
		t.Errorf("sockets are in %s", short)
	}
	s.Close()
	if _, err := os.Lstat(short); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}
