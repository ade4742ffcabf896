package arena_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/shuffle/arena"
)

const page = 4096

// A6: what is published, in use and idle counts together, idle segments make
// room, and what was given back can be had again.
func TestBound(t *testing.T) {
	a, dir := open(t, 1<<30)
	a.Bound = 4 * page
	publish(t, a, "one", bytes.Repeat([]byte("x"), page))
	used, err := a.Get(2 * page)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := a.Get(page + 1); !errors.Is(err, arena.ErrFull) {
		t.Fatalf("got %v, %v; three pages of four are taken", s, err)
	}
	if err := used.Discard(); err != nil { // idle now
		t.Fatal(err)
	}
	s, err := a.Get(3 * page)
	if err != nil {
		t.Fatalf("idle segments do not make room: %v", err)
	}
	if err := s.Discard(); err != nil {
		t.Fatal(err)
	}
	if err := a.Recycle("one"); err != nil {
		t.Fatal(err)
	}
	whole, err := a.Get(4 * page)
	if err != nil {
		t.Fatalf("recycled segments do not make room: %v", err)
	}
	if err := whole.Publish("small", 10); err != nil {
		t.Fatal(err)
	}
	rest, err := a.Get(4*page - 10)
	if err != nil {
		t.Fatalf("a segment that was cut keeps its room: %v", err)
	}
	if err := rest.Discard(); err != nil {
		t.Fatal(err)
	}
	if err := a.Recycle("small"); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A segment that is written to has what was written before a write that did not
// fit, and can be published with that.
func TestWriteToBound(t *testing.T) {
	a, dir := open(t, 0)
	a.Bound = 100
	s, err := a.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if n, err := s.Write(bytes.Repeat([]byte("w"), 30)); n != 30 || err != nil {
			t.Fatal(n, err)
		}
	}
	if n, err := s.Write(bytes.Repeat([]byte("x"), 30)); n != 0 || !errors.Is(err, arena.ErrFull) {
		t.Fatalf("wrote %d bytes of 30 where 10 fit: %v", n, err)
	}
	want := bytes.Repeat([]byte("w"), 90)
	var copied bytes.Buffer
	if _, err := s.WriteTo(&copied); err != nil || !bytes.Equal(copied.Bytes(), want) {
		t.Errorf("it has %q, %v", copied.Bytes(), err)
	}
	if err := s.Publish("object", 90); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "object"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("published %q, %v", got, err)
	}
	if err := a.Recycle("object"); err != nil {
		t.Fatal(err)
	}
	again, err := a.Reuse(50)
	if err != nil || again == nil || string(again.Bytes()) != strings.Repeat("w", 50) {
		t.Fatalf("what was written is not used again: %v, %v", again, err)
	}
	if none, err := a.Reuse(50); none != nil || err != nil {
		t.Errorf("used again, though nothing is idle: %v, %v", none, err)
	}
	if err := again.Discard(); err != nil {
		t.Fatal(err)
	}
}
