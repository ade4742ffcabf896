package arena_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/capstan-run/capstan/shuffle/arena"
)

func open(t *testing.T, maxIdle int64) (*arena.Arena, string) {
	t.Helper()
	dir := t.TempDir()
	a, err := arena.Open(dir, maxIdle)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a, dir
}

func publish(t *testing.T, a *arena.Arena, name string, content []byte) {
	t.Helper()
	s, err := a.Get(len(content) + 100)
	if err != nil {
		t.Fatal(err)
	}
	copy(s.Bytes(), content)
	if err := s.Publish(name, len(content)); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestPublishedSegmentIsAFile(t *testing.T) {
	a, dir := open(t, 0)
	want := bytes.Repeat([]byte("whale"), 1000)
	publish(t, a, "object", want)
	got, err := os.ReadFile(filepath.Join(dir, "object"))
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, %v; want %d", len(got), err, len(want))
	}
	if err := a.Recycle("object"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "object")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("after Recycle: %v", err)
	}
	if err := a.Recycle("object"); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("second Recycle: %v", err)
	}
}

// TestMemoryComesBack: the second segment is the first one's file.
func TestMemoryComesBack(t *testing.T) {
	a, dir := open(t, 0)
	publish(t, a, "first", make([]byte, 5000))
	before, err := os.Stat(filepath.Join(dir, "first"))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Recycle("first"); err != nil {
		t.Fatal(err)
	}
	publish(t, a, "second", make([]byte, 9000)) // it grows
	after, err := os.Stat(filepath.Join(dir, "second"))
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) || after.Size() != 9000 {
		t.Fatalf("another file, or %d bytes", after.Size())
	}
}

// TestReadersKeepWhatTheyLocked: law A3.
func TestReadersKeepWhatTheyLocked(t *testing.T) {
	a, dir := open(t, 0)
	publish(t, a, "object", []byte("the white whale"))
	f, err := os.Open(filepath.Join(dir, "object"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := arena.Lock(int(f.Fd())); err != nil {
		t.Fatal(err)
	}
	if err := a.Recycle("object"); err != nil {
		t.Fatal(err)
	}
	publish(t, a, "other", []byte("something else, and longer than that"))
	got := make([]byte, 15)
	if _, err := f.ReadAt(got, 0); err != nil || string(got) != "the white whale" {
		t.Fatalf("the reader sees %q, %v", got, err)
	}
}

// TestLateReaderIsRefused: one that opened the file before it was taken back,
// and locks it afterwards, is told.
func TestLateReaderIsRefused(t *testing.T) {
	a, dir := open(t, 0)
	publish(t, a, "object", []byte("the white whale"))
	f, err := os.Open(filepath.Join(dir, "object"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := a.Recycle("object"); err != nil {
		t.Fatal(err)
	}
	if err := arena.Lock(int(f.Fd())); err == nil {
		t.Fatal("a file that was taken back can be locked")
	}
}

func TestNothingIsKeptBeyondMaxIdle(t *testing.T) {
	a, dir := open(t, -1)
	publish(t, a, "object", make([]byte, 5000))
	if err := a.Recycle("object"); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); len(left) != 0 {
		t.Fatalf("left: %v", left)
	}
}

func TestCloseLeavesWhatIsPublished(t *testing.T) {
	dir := t.TempDir()
	a, err := arena.Open(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, a, "kept", []byte("x"))
	publish(t, a, "gone", []byte("y"))
	if err := a.Recycle("gone"); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); len(left) != 1 || left[0] != "kept" {
		t.Fatalf("left: %v", left)
	}
}

func TestNamesStayInTheDirectory(t *testing.T) {
	a, _ := open(t, 0)
	for _, name := range []string{"", "../x", "a/b", "/x"} {
		s, err := a.Get(10)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(name, 10); err == nil {
			t.Errorf("published as %q", name)
		}
		if err := s.Discard(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPoolReusesAndForgets(t *testing.T) {
	var p arena.Pool
	b, err := p.Get(3 << 20)
	if err != nil {
		t.Fatal(err)
	}
	b.Bytes()[0] = 7
	start := &b.Bytes()[0]
	buf := b.Buffer()
	buf.Release()
	again, err := p.Get(4 << 20)
	if err != nil {
		t.Fatal(err)
	}
	if &again.Bytes()[0] != start || len(again.Bytes()) != 4<<20 {
		t.Fatal("an idle block of the size was not used")
	}
	small, err := p.Get(100)
	if err != nil {
		t.Fatal(err)
	}
	if p.Live() != 2 {
		t.Fatalf("%d blocks live, want 2", p.Live())
	}
	again.Release()
	small.Release()
	p.Close()
	if p.Live() != 0 {
		t.Fatalf("%d blocks live after the last release", p.Live())
	}
}
