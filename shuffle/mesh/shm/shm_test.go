package shm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/capstan-run/capstan/shuffle/mesh/shm"
)

func pair(t testing.TB, mem []byte) (*shm.Producer, *shm.Consumer) {
	p, err := shm.NewProducer(mem)
	if err != nil {
		t.Fatal(err)
	}
	c, err := shm.NewConsumer(mem)
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}

// memoryOf is n bytes from a multiple of 64 on, as a mapping's are.
func memoryOf(n int) []byte {
	b := make([]byte, n+64)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & 63
	return b[skip : skip+n]
}

// TestRing passes frames of all sizes between two goroutines over two mappings
// of one region.
func TestRing(t *testing.T) {
	const size, count = 4096, 20000
	region, f, err := shm.Create("test", shm.RingOverhead+size)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	other, err := shm.Open(f, shm.RingOverhead+size, true)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	f.Close()
	p, err := shm.NewProducer(region.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	c, err := shm.NewConsumer(other.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	length := func(i int) int {
		return int(rand.New(rand.NewPCG(1, uint64(i))).Uint64() % (size - 2*shm.FrameHeader + 1))
	}
	fill := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, length(i)) }
	go func() {
		for i := range count {
			b := fill(i)
			for {
				ok, err := p.Put(uint64(i), len(b), [][]byte{b[:len(b)/3], b[len(b)/3:]})
				if err != nil {
					t.Error(err)
					return
				}
				if ok {
					break
				}
				runtime.Gosched()
			}
		}
	}()
	for i := 0; i < count; {
		f, ok, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			runtime.Gosched()
			continue
		}
		got := append(bytes.Clone(f.A), f.B...)
		if f.Label != uint64(i) || f.Len() != len(got) || !bytes.Equal(got, fill(i)) {
			t.Fatalf("frame %d: label %d, %d bytes, want %d", i, f.Label, len(got), length(i))
		}
		c.Done()
		i++
	}
	if !p.Drained() {
		t.Error("frames are left")
	}
}

// TestSleep goes through who must wake whom.
func TestSleep(t *testing.T) {
	p, c := pair(t, memoryOf(shm.RingOverhead+1024))
	if p.Wake() {
		t.Error("the consumer is awake")
	}
	if !c.Sleep() {
		t.Error("the ring is empty")
	}
	put(t, p, 900)
	if !p.Wake() || p.Wake() {
		t.Error("the consumer is to be woken once")
	}
	if c.Sleep() {
		t.Error("slept over a frame")
	}
	if p.Wake() {
		t.Error("the consumer did not sleep")
	}
	if asleep, err := p.Sleep(900); !asleep || err != nil {
		t.Errorf("slept %v: %v", asleep, err)
	}
	if _, ok, err := c.Next(); !ok || err != nil {
		t.Fatal(err)
	}
	if !c.Done() {
		t.Error("the producer is to be woken")
	}
	if asleep, err := p.Sleep(900); asleep || err != nil {
		t.Errorf("slept %v with room: %v", asleep, err)
	}
}

func put(t *testing.T, p *shm.Producer, n int) {
	t.Helper()
	if ok, err := p.Put(7, n, [][]byte{make([]byte, n)}); !ok || err != nil {
		t.Fatalf("put %v: %v", ok, err)
	}
}

// TestBrokenRing writes nonsense where the other side reads.
func TestBrokenRing(t *testing.T) {
	for name, spoil := range map[string]func(mem []byte){
		"frame a little too long": func(mem []byte) { binary.LittleEndian.PutUint64(mem[shm.RingOverhead+8:], 1024-32+2) },
		"long frame":              func(mem []byte) { binary.LittleEndian.PutUint64(mem[shm.RingOverhead+8:], 1<<62) },
		"frame of all ones":       func(mem []byte) { binary.LittleEndian.PutUint64(mem[shm.RingOverhead+8:], ^uint64(0)) },
	} {
		mem := memoryOf(shm.RingOverhead + 1024)
		p, c := pair(t, mem)
		put(t, p, 10)
		spoil(mem)
		if _, ok, err := c.Next(); ok || !errors.Is(err, shm.ErrBroken) {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	mem := memoryOf(shm.RingOverhead + 1024)
	p, _ := pair(t, mem)
	put(t, p, 900)
	binary.LittleEndian.PutUint64(mem, 1<<40)
	if _, err := p.Put(1, 900, [][]byte{make([]byte, 900)}); !errors.Is(err, shm.ErrBroken) {
		t.Errorf("consumer far ahead: %v", err)
	}
	if _, err := p.Put(1, 1<<20, nil); err == nil {
		t.Error("a frame larger than the ring was put")
	}
}

// TestLast reads a ring whose producer left a mark at every place: what it can
// hold is read, and no more.
func TestLast(t *testing.T) {
	mem := memoryOf(shm.RingOverhead + 1024)
	for at := shm.RingOverhead; at < len(mem); at += 16 {
		binary.LittleEndian.PutUint64(mem[at+8:], 1)
	}
	_, c := pair(t, mem)
	c.Last()
	frames := 0
	for {
		_, ok, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		c.Done()
		frames++
	}
	if frames != 1024/16 || c.Ready() {
		t.Errorf("%d frames were read, %d fit; ready: %v", frames, 1024/16, c.Ready())
	}
}

// TestStale puts frames over the remains of others that look like frames: the
// consumer sees those that were put, also right after each.
func TestStale(t *testing.T) {
	p, c := pair(t, memoryOf(shm.RingOverhead+1024))
	mark := bytes.Repeat([]byte{1, 0, 0, 0, 0, 0, 0, 0}, 124)
	for i := range 2000 {
		n := (i * i * 7) % len(mark)
		if ok, err := p.Put(uint64(i), n, [][]byte{mark[:n]}); !ok || err != nil {
			t.Fatalf("put %d: %v, %v", i, ok, err)
		}
		f, ok, err := c.Next()
		if !ok || err != nil || f.Label != uint64(i) || f.Len() != n {
			t.Fatalf("frame %d: label %d, %d bytes, %v, %v", i, f.Label, f.Len(), ok, err)
		}
		c.Done()
		if c.Ready() {
			t.Fatalf("after frame %d there is another", i)
		}
	}
}

// FuzzConsumer reads a ring of arbitrary bytes: frames or an error, never a
// panic, and never more bytes than the ring has.
func FuzzConsumer(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 5})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Add(bytes.Repeat([]byte{1, 0, 0, 0, 0, 0, 0, 0}, 128))
	f.Fuzz(func(t *testing.T, data []byte) {
		mem := memoryOf(shm.RingOverhead + 1024)
		copy(mem[shm.RingOverhead:], data)
		c, err := shm.NewConsumer(mem)
		if err != nil {
			t.Fatal(err)
		}
		c.Last()
		total := 0
		for {
			f, ok, err := c.Next()
			if !ok {
				if err == nil && c.Ready() {
					t.Fatal("a frame is there and is not returned")
				}
				break
			}
			if total >= 1024 {
				t.Fatal("a frame begins behind the last")
			}
			total += f.Len() + shm.FrameHeader
			c.Done()
		}
	})
}

// TestHeap gives out ranges that never overlap, and has all of it back.
func TestHeap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 64).Draw(t, "units") * shm.Unit
		h := shm.NewHeap(size + rapid.IntRange(0, shm.Unit-1).Draw(t, "rest"))
		type piece struct{ off, n int }
		var held []piece
		t.Repeat(map[string]func(*rapid.T){
			"alloc": func(t *rapid.T) {
				n := rapid.IntRange(0, size+1).Draw(t, "n")
				off, ok := h.Alloc(n)
				if !ok {
					return
				}
				if off%shm.Unit != 0 || off+n > size {
					t.Fatalf("%d bytes at %d of %d", n, off, size)
				}
				for _, p := range held {
					if off < p.off+max(p.n, 1) && p.off < off+max(n, 1) {
						t.Fatalf("%d bytes at %d overlap %d at %d", n, off, p.n, p.off)
					}
				}
				held = append(held, piece{off, n})
			},
			"free": func(t *rapid.T) {
				if len(held) == 0 {
					return
				}
				i := rapid.IntRange(0, len(held)-1).Draw(t, "i")
				h.Free(held[i].off)
				held = append(held[:i], held[i+1:]...)
			},
			"": func(t *rapid.T) {
				if h.Used() != len(held) {
					t.Fatalf("%d ranges in use, want %d", h.Used(), len(held))
				}
			},
		})
		for _, p := range held {
			h.Free(p.off)
		}
		if size == 0 {
			return
		}
		if off, ok := h.Alloc(size); !ok || off != 0 {
			t.Fatalf("all %d bytes: at %d, %v", size, off, ok)
		}
	})
}

// TestRegionSealed refuses memory that could shrink, or has another size.
func TestRegionSealed(t *testing.T) {
	region, f, err := shm.Create("test", 8192)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	defer f.Close()
	if err := f.Truncate(4096); !errors.Is(err, syscall.EPERM) {
		t.Errorf("shrink: %v", err)
	}
	if _, err := shm.Open(f, 4096, false); err == nil {
		t.Error("opened with another size")
	}
	plain, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if err := plain.Truncate(8192); err != nil {
		t.Fatal(err)
	}
	if _, err := shm.Open(plain, 8192, false); err == nil {
		t.Error("opened a file that may shrink")
	}
}
