package checksum_test

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"github.com/capstan-run/capstan/shuffle/checksum"
)

// TestIsCastagnoli: law C1, at every length around the borders of blocks and
// from any address.
func TestIsCastagnoli(t *testing.T) {
	table := crc32.MakeTable(crc32.Castagnoli)
	b := make([]byte, 5*4032+200)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	for blocks := range 6 {
		for d := -130; d <= 130; d++ {
			n := 4032*blocks + d
			if n < 0 || n > len(b) {
				continue
			}
			off := min(rnd.IntN(64), len(b)-n)
			x := b[off : off+n]
			if got, want := checksum.Of(x), crc32.Checksum(x, table); got != want {
				t.Fatalf("%d bytes: %08x, want %08x", n, got, want)
			}
			cut := rnd.IntN(n + 1)
			if got, want := checksum.Update(checksum.Of(x[:cut]), x[cut:]), crc32.Checksum(x, table); got != want {
				t.Fatalf("%d bytes in two: %08x, want %08x", n, got, want)
			}
		}
	}
}

// BenchmarkOf holds it against hash/crc32, beyond the caches and within.
func BenchmarkOf(b *testing.B) {
	table := crc32.MakeTable(crc32.Castagnoli)
	for _, n := range []int{64 << 20, 350_000, 35_000, 300} {
		x := make([]byte, n)
		b.Run(fmt.Sprintf("checksum/%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				checksum.Of(x)
			}
		})
		b.Run(fmt.Sprintf("crc32/%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				crc32.Checksum(x, table)
			}
		})
	}
}
