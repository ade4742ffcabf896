package slab

import (
	"testing"
	"unsafe"
)

func start(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

func TestGet(t *testing.T) {
	var p Pool
	for _, n := range []int{0, 1, 63, 256, 257, 4096, 1<<20 + 1, 1<<maxClass + 1} {
		for range 3 {
			b := p.Get(n)
			if len(b) != n || start(b)%Alignment != 0 {
				t.Fatalf("%d bytes at %#x, want %d at a multiple of %d", len(b), start(b), n, Alignment)
			}
			if n <= 1<<maxClass && (cap(b) != 1<<classOf(n) || cap(b) < n) {
				t.Fatalf("capacity %d for %d bytes", cap(b), n)
			}
			for i := range b[:cap(b)] {
				b[:cap(b)][i] = byte(n) // all of it is there
			}
			p.Free(b)
		}
	}
}

// A slice that is in use is in use once.
func TestFree(t *testing.T) {
	var p Pool
	held := map[uintptr]bool{}
	for i := range 100 {
		b := p.Get(1000)
		if held[start(b)] {
			t.Fatal("a slice in use was handed out again")
		}
		if i%3 == 0 {
			p.Free(b[:10])
			continue
		}
		held[start(b)] = true
		defer func() { b[0]++ }() // it stays reachable
	}
	p.Free(p.Get(300)[64:]) // not what Get gave: left to the garbage collector
	if b := p.Get(300); len(b) != 300 || cap(b) != 512 {
		t.Errorf("%d bytes of %d", len(b), cap(b))
	}
}

func TestReallocate(t *testing.T) {
	var p Pool
	b := p.Allocate(300)
	copy(b, "kept")
	same := p.Reallocate(500, b)
	if start(same) != start(b) || len(same) != 500 {
		t.Errorf("what fits was moved: %d bytes", len(same))
	}
	more := p.Reallocate(5000, same)
	if len(more) != 5000 || string(more[:4]) != "kept" {
		t.Errorf("%d bytes that begin with %q", len(more), more[:4])
	}
}
