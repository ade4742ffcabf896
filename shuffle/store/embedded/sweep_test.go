package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSweep(t *testing.T) {
	root, now := t.TempDir(), time.Now()
	write := func(path string, age time.Duration) {
		t.Helper()
		full := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Dir(full), now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	write("bkt/.sgwtmp/stump", 0)
	write("bkt/.sgwtmp/multipart/k1/aaa/1", time.Hour)
	write("bkt/.sgwtmp/multipart/k2/bbb.etag-1.inprogress/1", time.Hour)
	write("bkt/.sgwtmp/multipart/k3/ccc/1", uploadLife+time.Hour)
	write("bkt/dir/object", 0)
	write("bkt/dir/.sgwtmp-not", 0)
	write(fmt.Sprintf("bkt/dir/.object.sgwtmp.%d", now.Add(-time.Minute).UnixNano()), 0)
	write(fmt.Sprintf("bkt/dir/.live.sgwtmp.%d", now.Add(time.Minute).UnixNano()), 0)
	if err := sweepStaging(root, now); err != nil {
		t.Fatal(err)
	}
	if err := sweepOverwrites(t.Context(), root, now); err != nil {
		t.Fatal(err)
	}
	var left []string
	filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			left = append(left, strings.TrimPrefix(path, root+"/"))
		}
		return nil
	})
	want := []string{
		"bkt/.sgwtmp/multipart/k1/aaa/1",
		"bkt/.sgwtmp/multipart/k2/bbb/1",
		fmt.Sprintf("bkt/dir/.live.sgwtmp.%d", now.Add(time.Minute).UnixNano()),
		"bkt/dir/.sgwtmp-not",
		"bkt/dir/object",
	}
	if !slices.Equal(left, want) {
		t.Errorf("left %q, want %q", left, want)
	}
}

func TestFoldersAreFreshUntilSynced(t *testing.T) {
	t.Chdir(t.TempDir())
	var f folders
	first := f.enter("bkt", "bkt/a/b")
	if !slices.Equal(first, []string{"bkt/a/b", "bkt/a"}) {
		t.Fatalf("missing folders: %q", first)
	}
	if err := os.MkdirAll("bkt/a/b", 0o700); err != nil {
		t.Fatal(err)
	}
	second := f.enter("bkt", "bkt/a/b")
	if !slices.Equal(second, first) {
		t.Errorf("made but not synced: %q", second)
	}
	f.leave(first)
	f.leave(second)
	if again := f.enter("bkt", "bkt/a/b"); len(again) != 0 || len(f.unsynced) != 0 {
		t.Errorf("after the sync: %q, %v", again, f.unsynced)
	}
}

func TestOneServerPerRoot(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	unlock, err := own(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() {
		unlock, err := own(t.Context(), root)
		if err == nil {
			unlock()
		}
		second <- err
	}()
	select {
	case err := <-second:
		t.Fatalf("a second owner at once: %v", err)
	default:
	}
	unlock()
	if err := <-second; err != nil {
		t.Errorf("after the first is gone: %v", err)
	}
}
